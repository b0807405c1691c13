import { Option, type Command } from "commander";
import type { Peer, Reply } from "../peer/peer.ts";
import { readBody, toOutgoing, type Outgoing } from "./body.ts";
import { Interrupted } from "./failure.ts";
import { headerFlag, hubFlag, parseSeconds, parseSubject, type Headers } from "./flags.ts";
import { SHORT_WAIT_MS, connectToHub } from "./hub-link.ts";
import { Output } from "./output.ts";
import { Stopping } from "./stopping.ts";

interface Flags {
  readonly hub: string;
  readonly timeout: number;
  readonly header?: Headers;
  readonly json?: true;
}

const NEWLINE = 0x0a;
const DEFAULT_TIMEOUT_MS = 30_000;

const EXAMPLES = `
A body that is a JSON object or array is sent as JSON, any other as text, and what comes from stdin as bytes.
The answer's bytes go to stdout as they are; on a terminal a line end is added where there is none.

Examples:
  lintel request greet '{"name":"Ada"}'
  lintel request image.resize - --timeout 5 < in.png > out.png
  lintel request echo 42 --json
  lintel request users.get -H 'Accept-Language: de' '{"id":7}'`;

export function define(command: Command): void {
  command
    .description("Send a request to one worker and print its answer.")
    .argument("<subject>", "where to send it, such as greet or orders.create", parseSubject)
    .argument("[body]", "what to send; - reads stdin")
    .addOption(hubFlag())
    .addOption(
      new Option("-t, --timeout <seconds>", "fail when there is no answer by then")
        .argParser(parseSeconds)
        .default(DEFAULT_TIMEOUT_MS, "30"),
    )
    .addOption(headerFlag())
    .option("--json", "the body must be JSON, and is sent as such even if it is a number or a string")
    .addHelpText("after", EXAMPLES)
    .action(request);
}

async function request(subject: string, argument: string | undefined, flags: Flags): Promise<void> {
  const outgoing = toOutgoing(await readBody(argument), flags.header, flags.json);
  const timeoutMs = Math.min(SHORT_WAIT_MS, flags.timeout);
  const peer = await connectToHub({ url: flags.hub, name: "lintel request", timeoutMs });
  try {
    const { body } = await ask(peer, subject, outgoing, flags.timeout);
    const output = new Output();
    await output.write(body);
    if (output.isTerminal && body.length > 0 && body.at(-1) !== NEWLINE) await output.write("\n");
  } finally {
    await peer.close();
  }
}

async function ask(
  peer: Peer,
  subject: string,
  { value, headers }: Outgoing,
  timeoutMs: number,
): Promise<Reply> {
  using stopping = new Stopping();
  try {
    return await peer.request(subject, value, { timeoutMs, headers, full: true, signal: stopping.signal });
  } catch (error) {
    throw stopping.signal.aborted ? new Interrupted(stopping.exit) : error;
  }
}
