/** `lintel/client` where there is no Node: in pages and their workers. */
import type { Peer } from "../peer/peer.ts";
import { createBrowserTransport } from "../transport/ws-browser.ts";
import { connectThrough, type ConnectOptions } from "./connect.ts";

export * from "./api.ts";

/**
 * Connects to a hub over WebSocket, for example at `wss://hub.example.com`. After a lost connection it reconnects, without a
 * limit of attempts, and registers services and subscriptions again; in the meantime requests fail at once. Rejects with
 * `NOT_CONNECTED` if there is no first connection in time, and with a TypeError for a URL that is not `ws:` or `wss:`.
 */
export function connect(url: string, options: ConnectOptions = {}): Promise<Peer> {
  return connectThrough([createBrowserTransport("ws"), createBrowserTransport("wss")], url, options);
}
