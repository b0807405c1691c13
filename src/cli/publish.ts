import { isUtf8 } from "node:buffer";
import type { Command } from "commander";
import type { Peer } from "../peer/peer.ts";
import { readBody, toOutgoing } from "./body.ts";
import { Interrupted, usage } from "./failure.ts";
import { headerFlag, parseSubject, type Headers } from "./flags.ts";
import { addHubFlags, type HubFlags } from "./hub-flags.ts";
import { SHORT_WAIT_MS, connectToHub } from "./hub-link.ts";
import { LineSplitter } from "../supervisor/lines.ts";
import { Stopping } from "./stopping.ts";

interface Flags extends HubFlags {
  readonly header?: Headers;
  readonly json?: true;
  readonly lines?: true;
}

const MAX_LINE = 268_435_456;

const EXAMPLES = `
It is no failure if there are no subscribers. Nothing is printed. A body that is a JSON object or array is sent as JSON,
any other body as text, and stdin (-) as bytes.

Examples:
  lintel publish orders.created '{"id":7}'
  lintel publish backups.done - < report.txt
  tail -f access.log | lintel publish logs.web --lines`;

export function define(command: Command): void {
  addHubFlags(command)
    .description("Send a message to every subscriber.")
    .argument("<subject>", "where to send it, such as orders.created", parseSubject)
    .argument("[body]", "what to send; - reads stdin")
    .addOption(headerFlag())
    .option("--lines", "send each line of stdin as a message, as soon as it is read")
    .option("--json", "send the body as JSON, also a number or a string; fail if it is not JSON")
    .addHelpText("after", EXAMPLES)
    .action(publish);
}

async function publish(subject: string, argument: string | undefined, flags: Flags): Promise<void> {
  const { lines = false, header, json } = flags;
  if (lines && argument !== undefined && argument !== "-")
    throw usage("--lines reads stdin: leave the body out");
  const outgoing = lines ? undefined : toOutgoing(await readBody(argument), header, json);
  const peer = await connectToHub(flags, "lintel publish", SHORT_WAIT_MS);
  try {
    if (outgoing === undefined) await publishLines(peer, subject, flags);
    else await peer.publish(subject, outgoing.value, { headers: outgoing.headers });
    await peer.drain();
  } finally {
    await peer.close();
  }
}

async function publishLines(peer: Peer, subject: string, { header, json }: Flags): Promise<void> {
  using stopping = new Stopping();
  const send = (line: Uint8Array): Promise<void> | undefined => {
    const text = isUtf8(line) ? Buffer.from(line).toString("utf8") : line; // bytes stay what they are
    const { value, headers } = toOutgoing(text, header, json);
    return peer.publish(subject, value, { headers });
  };
  const splitter = new LineSplitter(MAX_LINE);
  const { signal } = stopping;
  const stop = (): void => void process.stdin.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      for (const line of splitter.push(chunk)) await send(line);
    }
    const rest = splitter.rest();
    if (rest !== undefined) await send(rest);
  } catch (error) {
    process.stdin.destroy();
    if (!signal.aborted) throw error;
  }
  if (signal.aborted) throw new Interrupted(stopping.exit);
}
