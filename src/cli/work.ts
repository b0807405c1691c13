import { availableParallelism } from "node:os";
import { Option, type Command } from "commander";
import { DRAIN_GRACE_MS } from "../message/draining.ts";
import { DEFAULT_LIMITS } from "../message/limits.ts";
import type { Peer } from "../peer/peer.ts";
import { PipeSource } from "../supervisor/pipes.ts";
import { checkProgram, type Program } from "./child.ts";
import { usage } from "./failure.ts";
import { parseCount, parsePattern, parseSeconds } from "./flags.ts";
import { addHubFlags, type HubFlags } from "./hub-flags.ts";
import { connectToHub } from "./hub-link.ts";
import { note } from "./note.ts";
import { LineWorker } from "./line-worker.ts";
import { ProcessWorker } from "./process-worker.ts";
import { Stopping } from "./stopping.ts";
import { StreamWorker } from "./stream-worker.ts";

interface Flags extends HubFlags {
  readonly queue?: string;
  readonly concurrency?: number;
  readonly lines?: true;
  readonly stream?: true;
  readonly type?: string;
  readonly grace: number;
  readonly drain: number;
}

/** A worker may be started before its hub. */
const FIRST_CONNECTION_MS = 10_000;
const DEFAULT_GRACE_MS = 2_000;

const EXAMPLES = `
COMMAND is started for every request. The body is its stdin, and its stdout is the answer.
  Its environment has LINTEL_SUBJECT, LINTEL_DEADLINE_MS (milliseconds since the epoch) and, for HTTP requests,
  LINTEL_METHOD, LINTEL_PATH, LINTEL_QUERY, and LINTEL_PARAM_NAME for each parameter of the route.
  An exit code other than 0 fails the request with COMMAND_FAILED and the last line of stderr.
  COMMAND gets SIGTERM when the request is canceled or its deadline passes.
With --stream the body is sent to stdin as it arrives, and the answer is sent as it is written, of any length. If COMMAND
  fails after it has begun to write, the answer is cut off with the same error.
With --lines one COMMAND keeps running: it reads a line of JSON per request and writes a line of JSON per answer, in order.
  {"error":{"code":"not_found","message":"..."}} fails a request. If COMMAND exits it is started again.

Examples:
  lintel work greet -- jq -c '{hello: .name}'
  lintel work image.thumb --type image/png -- convert - -resize 100x100 png:-
  lintel work log.compress --stream --type application/gzip -- gzip -c
  lintel work 'math.*' --lines -- python3 worker.py`;

export function define(command: Command): void {
  addHubFlags(command)
    .description("Turn any program into a worker that answers the requests of a subject.")
    .usage("[options] <subject> -- <command...>")
    .argument("<subject>", "what to serve, such as greet, or a pattern such as 'math.*'", parsePattern)
    .argument("<command...>", "the program and its arguments, after --")
    .option("-q, --queue <name>", "queue group; workers of one group share the requests")
    .addOption(
      new Option(
        "-n, --concurrency <number>",
        "requests at a time (default: one per CPU; with --lines 1)",
      ).argParser(parseCount),
    )
    .option("--stream", "send body and answer as streams of bytes, without collecting them first")
    .option("--lines", "keep one process: one line of JSON per request and per answer")
    .option("--type <type>", "content type of the answers (default: JSON if they are JSON, else bytes)")
    .addOption(
      new Option("--grace <seconds>", "time from SIGTERM to SIGKILL")
        .argParser(parseSeconds)
        .default(DEFAULT_GRACE_MS, "2"),
    )
    .addOption(
      new Option(
        "--drain <seconds>",
        "time for requests in hand after a signal; the rest then fails with DRAINING",
      )
        .argParser(parseSeconds)
        .default(DRAIN_GRACE_MS, "10"),
    )
    .addHelpText("after", EXAMPLES)
    .action(work);
}

async function work(subject: string, [command = "", ...args]: string[], flags: Flags): Promise<void> {
  if (flags.lines === true && flags.type !== undefined)
    throw usage("--type cannot be used with --lines, whose answers are always JSON");
  if (flags.lines === true && flags.stream === true)
    throw usage("--stream starts a process for every request and --lines keeps one: use only one of them");
  const program: Program = { command, args };
  await checkProgram(program);
  const peer = await connectToHub(flags, `lintel work ${subject}`, FIRST_CONNECTION_MS);
  try {
    await serveWith(peer, subject, program, flags);
  } finally {
    await peer.close();
  }
}

async function serveWith(peer: Peer, subject: string, program: Program, flags: Flags): Promise<void> {
  const { lines = false, stream = false, queue, type, grace: graceMs } = flags;
  const concurrency = flags.concurrency ?? (lines ? 1 : availableParallelism());
  const pipes = new PipeSource();
  const options = { program, pipes, concurrency, graceMs, maxOutput: DEFAULT_LIMITS.payload };
  const worker = lines
    ? new LineWorker(options)
    : new (stream ? StreamWorker : ProcessWorker)({ ...options, type });
  using stopping = new Stopping(() => worker.kill());
  try {
    await peer.serve(subject, worker.handle, {
      concurrency,
      raw: !lines, // a program reads what it likes
      ...(queue === undefined ? {} : { queue }),
    });
    note(`serving ${subject} at ${flags.hub} with ${program.command}, ${concurrency} at a time`);
    await stopping.stopped();
    note("finishing what is under way; a second signal ends at once");
    await peer.drain({ graceMs: flags.drain });
  } finally {
    await worker.end();
    pipes.close();
  }
}
