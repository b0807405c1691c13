import { Option, type Command } from "commander";
import type { Publication, Subscription } from "../peer/peer.ts";
import { parseCount, parsePattern } from "./flags.ts";
import { addHubFlags, type HubFlags } from "./hub-flags.ts";
import { SHORT_WAIT_MS, connectToHub } from "./hub-link.ts";
import { note } from "./note.ts";
import { jsonOf } from "./json-line.ts";
import { Output } from "./output.ts";
import { Stopping } from "./stopping.ts";

interface Flags extends HubFlags {
  readonly count?: number;
  readonly format: "raw" | "json";
}

const EXAMPLES = `
raw prints each message's bytes and a line end. json prints one line of JSON for each message:
  {"subject":"orders.created","headers":{},"value":{"id":7}}
Bytes are in "base64" instead of "value"; an empty message has neither.
The command ends on Ctrl-C, after --count messages, or when the reader of its output goes away.

Examples:
  lintel subscribe orders.created
  lintel subscribe 'orders.*' --format json | jq .subject
  lintel subscribe '>' --count 10`;

export function define(command: Command): void {
  addHubFlags(command)
    .description("Print messages as they arrive.")
    .argument(
      "<pattern>",
      "subject or pattern: orders.created, 'orders.*' or '>' for everything",
      parsePattern,
    )
    .addOption(new Option("-n, --count <number>", "end after this many messages").argParser(parseCount))
    .addOption(
      new Option("-f, --format <format>", "how to print a message").choices(["raw", "json"]).default("raw"),
    )
    .addHelpText("after", EXAMPLES)
    .action(subscribe);
}

async function subscribe(pattern: string, flags: Flags): Promise<void> {
  using stopping = new Stopping();
  const output = new Output(stopping.signal);
  const peer = await connectToHub(flags, "lintel subscribe", SHORT_WAIT_MS);
  try {
    const subscription = await peer.subscribe(pattern);
    const end = (): void => void subscription.close();
    for (const signal of [stopping.signal, output.gone]) {
      if (signal.aborted) end();
      signal.addEventListener("abort", end, { once: true });
    }
    note(`listening to ${pattern} at ${flags.hub}`);
    await print(subscription, output, flags);
    if (subscription.dropped > 0)
      note(`${subscription.dropped} messages were dropped: the output was read too slowly`);
  } finally {
    await peer.close();
  }
}

async function print(subscription: Subscription, output: Output, { count, format }: Flags): Promise<void> {
  let printed = 0;
  for await (const publication of subscription) {
    await output.write(
      format === "json" ? formatJson(publication) : Buffer.concat([publication.body, LINE_END]),
    );
    printed += 1;
    if (printed === count || output.gone.aborted) return;
  }
}

const LINE_END = Buffer.from("\n");

function formatJson({ subject, headers, body, value }: Publication): string {
  const start = JSON.stringify({ subject, headers }).slice(0, -1);
  if (value instanceof Uint8Array) return `${start},"base64":"${Buffer.from(value).toString("base64")}"}\n`;
  return value === undefined ? `${start}}\n` : `${start},"value":${jsonOf(value, headers, body)}}\n`;
}
