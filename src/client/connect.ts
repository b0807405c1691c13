import { urlText } from "../message/url-text.ts";
import { checkArgument, text } from "../message/options.ts";
import { dialPeer, type DialedPeerOptions } from "../peer/dial.ts";
import type { Peer } from "../peer/peer.ts";
import type { Transport } from "../transport/transport.ts";

/** Certificates are the platform's matter. */
export type ConnectOptions = Omit<DialedPeerOptions, "tls">;

/** Connects through the first of these transports that is for the URL. */
export async function connectThrough(
  transports: readonly Transport[],
  url: string,
  options: ConnectOptions,
): Promise<Peer> {
  checkArgument("connect", "the URL", url, text);
  const transport = transports.find(({ scheme }) => url.startsWith(`${scheme}:`));
  if (transport === undefined) {
    const forms = transports.map(({ scheme }) => `${scheme}://HOST:PORT/PATH`).join(" or ");
    throw new TypeError(`"${urlText(url)}" is not of the form ${forms}`);
  }
  return dialPeer(transport, url, options);
}
