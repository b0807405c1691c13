/** `lintel/client` in Node: the same over the WebSocket of Node's transports, which says why it was refused. */
import type { Peer } from "../peer/peer.ts";
import { ws, wss } from "../transport/ws/transport.ts";
import { connectThrough, type ConnectOptions } from "./connect.ts";

export * from "./api.ts";

/** Connects to a hub as it does in a browser. */
export function connect(url: string, options: ConnectOptions = {}): Promise<Peer> {
  return connectThrough([ws, wss], url, options);
}
