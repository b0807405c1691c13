import { Readable } from "node:stream";
import { Option, type Command } from "commander";
import type { HeadersInit } from "../message/headers.ts";
import { ValueStream } from "../peer/stream/value-stream.ts";
import type { Peer, Reply } from "../peer/peer.ts";
import { readBody, toOutgoing } from "./body.ts";
import { CliError, Exit, Interrupted, usage } from "./failure.ts";
import { headerFlag, parseSeconds, parseSubject, type Headers } from "./flags.ts";
import { addHubFlags, type HubFlags } from "./hub-flags.ts";
import { SHORT_WAIT_MS, connectToHub } from "./hub-link.ts";
import { chunkOf } from "./json-line.ts";
import { Output } from "./output.ts";
import { Stopping } from "./stopping.ts";

interface Flags extends HubFlags {
  readonly timeout: number;
  readonly header?: Headers;
  readonly json?: true;
  readonly stream?: true;
}

/** What a request is made of. */
interface Sent {
  readonly value: unknown;
  readonly headers: HeadersInit;
}

const NEWLINE = 0x0a;
const DEFAULT_TIMEOUT_MS = 30_000;

const EXAMPLES = `
A body that is a JSON object or array is sent as JSON, any other body as text, and stdin (-) as bytes.
The answer's bytes go to stdout unchanged; on a terminal a missing line end is added. A streamed answer is printed as it
arrives: bytes unchanged, values as one line of JSON each. --timeout covers its beginning.

Examples:
  lintel request greet '{"name":"Ada"}'
  lintel request image.resize - --timeout 5 < in.png > out.png
  lintel request log.compress - --stream < huge.log > huge.log.gz
  lintel request echo 42 --json
  lintel request users.get -H 'Accept-Language: de' '{"id":7}'`;

export function define(command: Command): void {
  addHubFlags(command)
    .description("Send a request to one worker and print its answer.")
    .argument("<subject>", "where to send it, such as greet or orders.create", parseSubject)
    .argument("[body]", "what to send; - reads stdin")
    .addOption(
      new Option("-t, --timeout <seconds>", "fail if there is no answer in time")
        .argParser(parseSeconds)
        .default(DEFAULT_TIMEOUT_MS, "30"),
    )
    .addOption(headerFlag())
    .option("--json", "send the body as JSON, also a number or a string; fail if it is not JSON")
    .option("--stream", "with -: send stdin as a stream, of any length, while it is read")
    .addHelpText("after", EXAMPLES)
    .action(request);
}

async function request(subject: string, argument: string | undefined, flags: Flags): Promise<void> {
  const outgoing = await outgoingOf(argument, flags);
  const timeoutMs = Math.min(SHORT_WAIT_MS, flags.timeout);
  const peer = await connectToHub(flags, "lintel request", timeoutMs);
  try {
    using stopping = new Stopping();
    try {
      const reply = await ask(peer, subject, outgoing, flags.timeout, stopping.signal);
      await print(reply, new Output(stopping.signal), stopping.signal);
    } catch (error) {
      throw stopping.signal.aborted ? new Interrupted(stopping.exit) : error;
    }
  } finally {
    await peer.close();
  }
}

async function outgoingOf(argument: string | undefined, flags: Flags): Promise<Sent> {
  const { header = {}, json, stream } = flags;
  if (stream !== true) return toOutgoing(await readBody(argument), header, json);
  if (argument !== "-") throw usage("--stream needs - as the body, because it streams stdin");
  if (json === true) throw usage("--stream sends bytes, so it cannot be used with --json");
  return { value: Readable.toWeb(process.stdin), headers: header };
}

function ask(
  peer: Peer,
  subject: string,
  { value, headers }: Sent,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Reply> {
  return peer.request(subject, value, { timeoutMs, headers, full: true, signal });
}

async function print(reply: Reply, output: Output, signal: AbortSignal): Promise<void> {
  const { body, streams } = reply;
  if (streams.length > 0) {
    const { value } = reply;
    if (value instanceof ReadableStream) return printStream(value, output, signal);
    throw new CliError(Exit.failed, "BAD_ANSWER", "the answer contains streams, which cannot be printed");
  }
  await output.write(body);
  if (output.isTerminal && body.length > 0 && body.at(-1) !== NEWLINE) await output.write("\n");
  signal.throwIfAborted();
}

/** Prints what a streamed answer brings as it comes, as fast as it is read. */
async function printStream(
  stream: ReadableStream<unknown>,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  if (stream instanceof ValueStream) stream.keepsJson = true;
  const reader = stream.getReader();
  const leave = (): void => void reader.cancel().catch(() => undefined);
  for (const end of [signal, output.gone]) end.addEventListener("abort", leave, { once: true });
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    await output.write(chunkOf(next.value));
  }
  signal.throwIfAborted();
}
