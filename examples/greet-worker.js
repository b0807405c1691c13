// @ts-check
// A worker: it opens no port, connects to a hub and answers the requests for one subject.
import { connect } from "lintel";

const url = process.argv[2] ?? "tcp://127.0.0.1:4500";
const peer = await connect(url, { name: "greet-worker" });

await peer.serve("greet", (/** @type {{ name?: string } | undefined} */ value) => {
  const name = value?.name ?? "world";
  console.log(`[worker] greeting ${name}`);
  return { hello: name };
});

console.log(`[worker] serving "greet" at ${url}`);
process.send?.("serving"); // whoever started it may be waiting

// Ctrl-C: finish what is in hand, then end.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => peer.drain());
