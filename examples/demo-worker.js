// @ts-check
// The worker of the demo: says who it is, and works on a slow request until somebody stops it.
import { connect } from "lintel";

const [url = "tcp://127.0.0.1:4500", name = "worker"] = process.argv.slice(2);
const peer = await connect(url, { name });

/** @param {string} event */
const tell = (event) => peer.publish("demo.events", { name, event });

await peer.serve("demo.whoami", () => name);

await peer.serve("demo.slow", (_value, { signal }) => {
  void tell("started");
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      void tell(`stopped by ${signal.reason.reason}`);
      resolve("nobody hears this any more");
    });
  });
});

await tell("ready");
process.once("SIGTERM", () => peer.drain());
