/** `lintel/client` where there is no Node: in pages and their workers. */
import type { Peer } from "../peer/peer.ts";
import { createBrowserTransport } from "../transport/ws-browser.ts";
import { connectThrough, type ConnectOptions } from "./connect.ts";

export * from "./api.ts";

/**
 * Connects to a hub, for example `wss://hub.example.com`, by WebSocket. Once connected, a connection that is lost
 * is made again for ever, and services and subscriptions are announced anew; requests fail at once meanwhile. Rejects with
 * `NOT_CONNECTED` when there is no first connection in time, and with a TypeError for a URL that is not `ws:` or `wss:`.
 */
export function connect(url: string, options: ConnectOptions = {}): Promise<Peer> {
  return connectThrough([createBrowserTransport("ws"), createBrowserTransport("wss")], url, options);
}
