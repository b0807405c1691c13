// @ts-check
// A page of the chat. It has a client key: it may ask the services, and subscribe to the rooms that Chat has opened.
import { LintelError, connectText } from "lintel/text";

/** @typedef {{ id: number, from: string, text: string }} Line */

/** What makes guessing of passwords slow. */
const ITERATIONS = 100_000;

const state = find("#state");
const error = find("#error");
const signIn = /** @type {HTMLFormElement} */ (find("#sign-in"));
const room = find("#room");
const lines = find("#lines");
const say = /** @type {HTMLFormElement} */ (find("#say"));

/** Who this is and where, once signed in. @type {{ name: string, proof: string, room: string } | undefined} */
let here;
/** @type {{ close(): void } | undefined} */
let listening;

const { url, key } = await (await fetch("hub.json")).json();
const hub = await connectText(url, {
  key,
  onState: (now) => {
    if (now === "connected" && here !== undefined) void comeBack();
    else tell(now);
  },
  onError: (problem, where) => show(problem, where),
});

signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = new FormData(signIn, event.submitter);
  const [name = "", password = "", place = "", action = ""] = ["name", "password", "room", "action"].map(
    (field) => textOf(given, field),
  );
  void attempt(async () => {
    const salt = (await ask("Auth", "Salt", name)).body;
    const proof = await prove(password, salt);
    await ask("Auth", action, JSON.stringify({ name, proof }));
    here = { name, proof, room: place };
    await enter(place).catch((problem) => {
      leave();
      throw problem;
    });
  });
});

say.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = textOf(new FormData(say), "text");
  void attempt(async () => {
    const echo = /^\/echo (.*)/s.exec(text)?.[1];
    if (echo === undefined) await speak(text, here?.room ?? "");
    else add("Echo", (await hub.request("Echo", echo)).body);
    say.reset();
  });
});

/**
 * Says something. A Chat that has started anew does not know the room, until somebody joins it.
 * @param {string} text
 * @param {string} place
 */
async function speak(text, place) {
  const saying = () => ask("Chat", "Say", text, { room: place });
  await saying().catch(async (problem) => {
    if (!(problem instanceof LintelError) || problem.code !== "not_found") throw problem;
    await enter(place);
    await saying();
  });
}

find("#leave").addEventListener("click", () => leave());

/**
 * Shows a room. The lines that were said before come with the answer, the others are published. The second answer has what was
 * said before the subscription, so that no line is missed.
 * @param {string} name
 */
async function enter(name) {
  const { target } = await joined(name);
  /** @type {Line[] | undefined} */
  let early = [];
  let last = 0;
  const shown = (/** @type {Line} */ line) => {
    if (line.id <= last) return;
    last = line.id;
    add(line.from, line.text);
  };
  listening?.close();
  listening = hub.subscribe(target, (message) => {
    const line = /** @type {Line} */ (message.json());
    if (early === undefined) shown(line);
    else early.push(line);
  });
  const { lines: said } = await joined(name);
  lines.replaceChildren();
  for (const line of [...said, ...early]) shown(line);
  early = undefined;
  find("#title").textContent = name;
  signIn.hidden = true;
  room.hidden = false;
  find("#say input").focus();
}

/**
 * @param {string} name
 * @returns {Promise<{ target: string, lines: Line[] }>}
 */
async function joined(name) {
  return /** @type {any} */ ((await ask("Chat", "Join", name)).json());
}

/** A new connection has no name, and no room. The services may need a moment until they are there too. */
async function comeBack() {
  const { guid } = hub;
  for (let pauseMs = 250; hub.guid === guid && here !== undefined; pauseMs = Math.min(2 * pauseMs, 5_000)) {
    const { name, proof, room: place } = here;
    try {
      await ask("Auth", "Verify", JSON.stringify({ name, proof }));
      await enter(place);
      error.textContent = "";
      return tell("connected");
    } catch (problem) {
      show(problem);
      if (problem instanceof LintelError && problem.code === "unauthenticated") {
        tell("connected");
        return leave();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function leave() {
  listening?.close();
  listening = undefined;
  here = undefined;
  room.hidden = true;
  signIn.hidden = false;
}

/**
 * @param {string} service
 * @param {string} cmd
 * @param {string} [body]
 * @param {Record<string, string>} [headers]
 */
function ask(service, cmd, body, headers = {}) {
  return hub.request(service, body, { headers: { cmd, ...headers }, timeout: "5s" });
}

/**
 * What shows that somebody knows the password, without the password.
 * @param {string} password
 * @param {string} salt
 */
async function prove(password, salt) {
  const bytes = new TextEncoder();
  const secret = await crypto.subtle.importKey("raw", bytes.encode(password), "PBKDF2", false, [
    "deriveBits",
  ]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes.encode(salt), iterations: ITERATIONS };
  const proof = new Uint8Array(await crypto.subtle.deriveBits(how, secret, 256));
  return Array.from(proof, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {string} from
 * @param {string} text
 */
function add(from, text) {
  const item = document.createElement("li");
  const who = document.createElement("span");
  who.className = "from";
  who.textContent = from;
  item.className = from === here?.name ? "own" : "";
  item.append(who, text);
  lines.append(item);
  item.scrollIntoView({ block: "end" });
}

/** @param {string} now */
function tell(now) {
  state.textContent = now;
  state.className = now;
}

/** @param {string} selector */
function find(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`the page has no ${selector}`);
  return found;
}

/**
 * @param {FormData} given
 * @param {string} field
 */
function textOf(given, field) {
  const value = given.get(field);
  return typeof value === "string" ? value : "";
}

/** @param {() => Promise<unknown>} action */
async function attempt(action) {
  error.textContent = "";
  try {
    await action();
  } catch (problem) {
    show(problem);
  }
}

/**
 * @param {unknown} problem
 * @param {string} [where]
 */
function show(problem, where) {
  const text = problem instanceof Error ? problem.message : String(problem);
  error.textContent = where === undefined ? text : `${where}: ${text}`;
}
