/** The connection of a command to its hub. */
import { LintelError } from "../message/failure.ts";
import { urlText } from "../message/url-text.ts";
import type { Peer } from "../peer/peer.ts";
import { CliError, Exit, usage } from "./failure.ts";
import { isEncrypted, type HubFlags } from "./hub-flags.ts";
import { note } from "./note.ts";

/** One-shot commands give up on a hub this soon, so that the user learns quickly that none runs. */
export const SHORT_WAIT_MS = 2_000;

/**
 * Connects, and tells on stderr when the connection is lost and found again. The hub's logs show `name`; the first
 * connection is tried for so many milliseconds.
 */
export async function connectToHub(
  { hub: url, tls, key }: HubFlags,
  name: string,
  timeoutMs: number,
): Promise<Peer> {
  const { connect } = await import("../peer/connect.ts");
  let connected = false;
  try {
    const peer = await connect(url, {
      name,
      timeoutMs,
      ...(tls === undefined ? {} : { tls }),
      ...(key === undefined ? {} : { key }),
      onState: (state, why) => {
        if (connected && state === "connecting")
          note(`the connection to ${urlText(url)} is lost (${why?.message}); trying again`);
        if (connected && state === "connected") note(`connected to ${urlText(url)} again`);
      },
      onError: (error, where) =>
        note(`${where} failed: ${error instanceof Error ? error.message : String(error)}`),
    });
    connected = true;
    return peer;
  } catch (cause) {
    if (cause instanceof TypeError) throw usage(cause.message);
    const message = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof LintelError && cause.code === "unauthenticated") {
      const hint = "show a key of this hub with --key-file FILE, or with LINTEL_KEY";
      throw new CliError(Exit.connection, cause.reason, message, { hint, cause });
    }
    throw new CliError(Exit.connection, "NOT_CONNECTED", message, { hint: await hintFor(url), cause });
  }
}

async function hintFor(url: string): Promise<string> {
  const another = `start a hub with \`lintel serve\`, or name another with --hub or LINTEL_HUB (this was ${urlText(url)})`;
  if (!(await isEncrypted(url))) return another;
  return `${another}; --tls-ca FILE gives tls.ca, --tls-cert FILE and --tls-key FILE give tls.cert and tls.key`;
}
