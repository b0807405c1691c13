// @ts-check
// A worker that transforms bytes as they pass: however large the file, no process holds more than a small part of it.
// With a hub running (`npm start`, or `lintel serve`):
//
//   node examples/gzip-worker.js
//   npx lintel request gzip - --stream < huge.log > huge.log.gz
//
// Over HTTP the body of a request comes whole (1 MiB at the most) unless its route says `body: stream`:
//
//   curl --data-binary @small.log -H 'Content-Type: text/plain' http://127.0.0.1:8500/gzip > small.log.gz
import { connect } from "lintel";

const url = process.argv[2] ?? "tcp://127.0.0.1:4500";
const peer = await connect(url, { name: "gzip-worker" });

await peer.serve("gzip", (/** @type {ReadableStream | Uint8Array | string} */ value, { reply }) => {
  reply.headers["content-type"] = "application/gzip";
  const bytes = value instanceof ReadableStream ? value : new Blob([value]).stream();
  return bytes.pipeThrough(new CompressionStream("gzip"));
});

console.log(`[gzip] serving "gzip" at ${url}`);
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => peer.drain());
