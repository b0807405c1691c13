/** The connection of a command to its hub. */
import type { Peer } from "../peer/peer.ts";
import { CliError, Exit, usage } from "./failure.ts";

export interface LinkOptions {
  readonly url: string;
  /** Shown in the hub's logs. */
  readonly name: string;
  /** How long to try for the first connection. Milliseconds. */
  readonly timeoutMs: number;
}

/** One-shot commands give up on a hub this soon: nobody waits long to learn that none runs. */
export const SHORT_WAIT_MS = 2_000;

/** Connects, and tells on stderr when the connection is lost and found again. */
export async function connectToHub({ url, name, timeoutMs }: LinkOptions): Promise<Peer> {
  const { connect } = await import("../peer/connect.ts");
  let connected = false;
  try {
    const peer = await connect(url, {
      name,
      timeoutMs,
      onState: (state, why) => {
        if (connected && state === "connecting")
          note(`the connection to ${url} is lost (${why?.message}); trying again`);
        if (connected && state === "connected") note(`connected to ${url} again`);
      },
      onError: (error, where) =>
        note(`${where} failed: ${error instanceof Error ? error.message : String(error)}`),
    });
    connected = true;
    return peer;
  } catch (cause) {
    if (cause instanceof TypeError) throw usage(cause.message);
    const message = cause instanceof Error ? cause.message : String(cause);
    const hint = `start a hub with \`lintel serve\`, or name another with --hub or LINTEL_HUB (this was ${url})`;
    throw new CliError(Exit.connection, "NOT_CONNECTED", message, { hint, cause });
  }
}

/** A line for whoever runs the command, apart from its output. */
export function note(text: string): void {
  process.stderr.write(`lintel: ${text}\n`);
}
