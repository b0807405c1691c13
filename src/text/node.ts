/** `lintel/text` in Node, whose WebSocket says why it was refused and takes certificates. */
import { clientTls } from "../transport/tls-options.ts";
import type { TlsOptions } from "../transport/transport.ts";
import { urlText } from "../message/url-text.ts";
import type { ConnectTextOptions, TextPeer } from "./api.ts";
import { connectWith } from "./client.ts";
import type { PlatformSocket } from "./socket.ts";

export * from "./api.ts";
export type { TlsOptions } from "../transport/transport.ts";

export interface ConnectTextInNodeOptions extends ConnectTextOptions {
  /** Certificates, for `wss:`. */
  readonly tls?: TlsOptions;
}

/** Connects as it does in a browser. */
export function connectText(
  url: string,
  { tls, ...options }: ConnectTextInNodeOptions = {},
): Promise<TextPeer> {
  const open = async (dialed: string): Promise<PlatformSocket> => {
    const [{ WebSocket }, { NodeSocket }] = await Promise.all([import("ws"), import("./node-socket.ts")]); // only where needed
    const secure = /^wss:/i.test(dialed) ? clientTls(urlText(dialed), new URL(dialed).hostname, tls) : {};
    return new NodeSocket(
      new WebSocket(dialed, { ...secure, perMessageDeflate: false, followRedirects: false }),
    );
  };
  return connectWith(open, url, options);
}
