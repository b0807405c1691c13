// @ts-check
// A page that answers requests: whoever asks the hub for "paint" changes the colour of this tab.
import { LintelError, connect } from "lintel/client";

const hub = `ws://${location.host}/hub/.lintel/session`;
const peer = await connect(hub, { name: "a tab", onState: (state) => show("state", state) });

await peer.serve("paint", (/** @type {{ color?: string } | undefined} */ value) => {
  const color = value?.color ?? "";
  if (!CSS.supports("color", color)) throw new LintelError("invalid_argument", `"${color}" is no colour`);
  document.body.style.backgroundColor = color;
  return { painted: color };
});

await peer.subscribe("words.>", (word) => show("word", String(word)));
document.title = "Serving paint";

/** @param {string} id @param {string} text */
function show(id, text) {
  const output = document.getElementById(id);
  if (output !== null) output.textContent = text;
}
