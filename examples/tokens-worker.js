// @ts-check
// A worker that answers word by word, as language models do. With a hub running (`npm start`, or `lintel serve`):
//
//   node examples/tokens-worker.js
//   curl -N -d '{"prompt":"Why is the sky blue?"}' http://127.0.0.1:8500/chat
import { setTimeout as sleep } from "node:timers/promises";
import { connect, event } from "lintel";

const url = process.argv[2] ?? "tcp://127.0.0.1:4500";
const peer = await connect(url, { name: "tokens-worker" });

await peer.serve("chat", async function* (/** @type {{ prompt?: string } | undefined} */ value, { signal }) {
  const words = `You asked: "${value?.prompt ?? ""}" I think about it, and I say it word by word.`.split(" ");
  try {
    for (const [index, word] of words.entries()) {
      yield event({ token: word }, { id: String(index) });
      await sleep(50, undefined, { signal }); // the model at work; it stops when the caller leaves
    }
    yield event({ tokens: words.length }, { event: "done" });
  } finally {
    console.log(`[tokens] ${signal.aborted ? "the caller left" : "done"}`);
  }
});

console.log(`[tokens] serving "chat" at ${url}`);
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => peer.drain());
