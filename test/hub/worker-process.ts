/** A worker as users write one, in a process of its own; tells its parent what happens. */
import { once } from "node:events";
import { connect } from "../../src/peer/connect.ts";
import type { LintelError } from "../../src/message/failure.ts";

const peer = await connect(process.argv[2]!);
const say = (word: string): void => void process.send?.(word);

await peer.serve("greet", ({ name }: { name: string }) => ({ hello: name }));

await peer.serve("mirror", (_value, context) => {
  context.reply.status = 201;
  context.reply.headers["x-answer"] = "given";
  const { method, path, query } = context.http!;
  const body = Buffer.from(context.body).toString();
  return { method, path, query: query.getAll("a"), mine: context.headers.get("x-mine"), body };
});

await peer.serve("stuck", async (_value, { signal }) => {
  say("stuck");
  await once(signal, "abort");
  say(`signal: ${(signal.reason as LintelError).reason}`);
});

await peer.serve(
  "one",
  async (value, { signal }) => {
    say(`one: ${String(value)}`);
    await once(signal, "abort");
  },
  { concurrency: 1 },
);

await peer.subscribe("events.>", (value, { subject }) => say(`event ${subject} ${String(value)}`));

say("serving");
