/** Receives more descriptors than it may have open. Prints how that ended, and how many descriptors are left over. */
import { readdirSync } from "node:fs";
import { adoptSocket, socketPair } from "../../../src/transport/descriptors/endpoints.ts";

const [one, other] = socketPair();
const sender = adoptSocket(one);
const receiver = adoptSocket(other);
sender.open({ data: () => undefined, drained: () => undefined, closed: () => undefined });
receiver.open({ data: () => undefined, drained: () => undefined, closed: () => undefined });
receiver.pause();
// What is needed for the first time is opened before it is counted.
await new Promise((resolve) => setTimeout(resolve, 20));
const before = readdirSync("/proc/self/fd").length;

const [near, far] = socketPair();
const crowded = adoptSocket(far);
adoptSocket(near).send(Buffer.from("x"), Array<number>(100).fill(0));
crowded.open({
  data: () => console.log("descriptors arrived"),
  drained: () => undefined,
  closed: (error) => {
    setImmediate(() => {
      const leaked = readdirSync("/proc/self/fd").length - before - 1; // `near` is open still
      console.log(JSON.stringify({ reason: (error as { reason?: string } | undefined)?.reason, leaked }));
      process.exit(0);
    });
  },
});
