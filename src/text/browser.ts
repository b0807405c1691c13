/** `lintel/text` where there is no Node: in pages and their workers. */
import type { ConnectTextOptions, TextPeer } from "./api.ts";
import { connectWith } from "./client.ts";
import type { PlatformSocket } from "./socket.ts";

export * from "./api.ts";

/**
 * Connects to the text gateway of a hub, for example at `ws://127.0.0.1:8764`. After a lost connection it connects again, without
 * a limit of attempts; in the meantime requests fail at once. Rejects with `NOT_CONNECTED` if there is no first connection in
 * time, with `UNAUTHENTICATED` when the key is refused, and with a TypeError for a URL that is not `ws:` or `wss:`.
 */
export function connectText(url: string, options?: ConnectTextOptions): Promise<TextPeer> {
  return connectWith(openPlatformSocket, url, options);
}

function openPlatformSocket(url: string): PlatformSocket {
  const { WebSocket } = globalThis as { WebSocket?: new (url: string) => PlatformSocket };
  if (WebSocket === undefined) throw new TypeError("this platform has no WebSocket");
  return new WebSocket(url);
}
