import { InvalidArgumentError, Option, type Command } from "commander";
import { LintelError } from "../message/failure.ts";
import { Control, type LogItem } from "../supervisor/control.ts";
import { PATIENCE_MS, connectToUp, manifestFlag } from "./control-link.ts";
import { CliError, Exit } from "./failure.ts";
import { note } from "./note.ts";
import { Output } from "./output.ts";
import { ServiceOutput } from "./service-output.ts";
import { Stopping } from "./stopping.ts";

interface Flags {
  readonly config?: string;
  readonly follow?: true;
  readonly lines?: number;
}

const LOST = "lintel up has ended without notice: it was killed, or stopped by a second signal";

const EXAMPLES = `
lintel up keeps about two megabytes of lines per service in memory and drops older ones. Control characters are shown as
\\xNN, and lines longer than 16 KiB are split. --follow runs until Ctrl-C or until lintel up ends.

Examples:
  lintel logs greet
  lintel logs greet --follow
  lintel logs greet --lines 20`;

export function define(command: Command): void {
  command
    .description("Print the output of a service.")
    .argument("<name>", "the service")
    .addOption(manifestFlag())
    .option("-f, --follow", "keep printing new lines")
    .addOption(
      new Option("-n, --lines <number>", "start with the last lines; 0 for none (default: all)").argParser(
        parseLines,
      ),
    )
    .addHelpText("after", EXAMPLES)
    .action(logs);
}

function parseLines(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

async function logs(name: string, { config, follow, lines }: Flags): Promise<void> {
  const peer = await connectToUp(config);
  using stopping = new Stopping();
  const output = new Output(stopping.signal);
  const signal = AbortSignal.any([stopping.signal, output.gone]);
  try {
    const order = { name, last: lines, follow };
    const items = await peer.request<AsyncIterable<LogItem>>(Control.logs, order, { timeoutMs: PATIENCE_MS });
    const format = new ServiceOutput();
    for await (const item of until(items, signal)) {
      if ("missed" in item) note(`${item.missed} lines were dropped before they could be read`);
      else await output.write(format.line(item));
    }
    if (follow === true && !signal.aborted) note("lintel up has ended");
  } catch (cause) {
    if (!(cause instanceof LintelError) || cause.reason !== "CONNECTION_LOST") throw cause;
    const hint = "`lintel up` starts it again";
    throw new CliError(Exit.failed, cause.reason, LOST, { hint, cause });
  } finally {
    await peer.close();
  }
}

/** The items until the signal fires, which then is no failure. */
async function* until<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void> {
  const iterator = items[Symbol.asyncIterator]();
  const over = new Promise<undefined>((resolve) =>
    signal.addEventListener("abort", () => resolve(undefined), { once: true }),
  );
  while (!signal.aborted) {
    const next = await Promise.race([iterator.next(), over]);
    if (next === undefined || next.done === true) return;
    yield next.value;
  }
}
