import { TransportRegistry } from "../transport/registry.ts";
import { dialPeer, type DialedPeerOptions } from "./dial.ts";
import type { Peer } from "./peer.ts";

export interface ConnectOptions extends DialedPeerOptions {
  /** Transports besides, or instead of, those that come along. */
  readonly transports?: TransportRegistry;
}

/**
 * Connects to a hub, for example `tcp://127.0.0.1:4500` or `unix:///run/lintel.sock`. Once connected, a connection that
 * is lost is made again for ever, and services and subscriptions are announced anew; requests fail at once meanwhile.
 * Rejects with `NOT_CONNECTED` when there is no first connection in time, and with a TypeError for a URL that is none.
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Peer> {
  const { transports, ...others } = options;
  return dialPeer(await (transports ?? new TransportRegistry()).for(url), url, others);
}
