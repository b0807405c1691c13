import { sideChannels } from "../session/side-channels/side-channels.ts";
import { DEFAULT_URL } from "../transport/default-url.ts";
import { TransportRegistry, aRegistry } from "../transport/registry.ts";
import { checkArgument, checkOptions, orNull, type Check } from "../message/options.ts";
import { dialPeer, type DialedPeerOptions } from "./dial.ts";
import { nodeObjects } from "./node-objects.ts";
import type { Peer } from "./peer.ts";

const aUrlOrOptions: Check = (value) =>
  typeof value === "string" || (typeof value === "object" && !Array.isArray(value) && !(value instanceof URL))
    ? undefined
    : "a URL as a string, such as tcp://127.0.0.1:4500, or options";

export interface ConnectOptions extends DialedPeerOptions {
  /** Transports besides, or instead of, those that come along. */
  readonly transports?: TransportRegistry;
}

/**
 * Connects to a hub: without a URL to the one of the environment variable LINTEL_HUB, else to `tcp://127.0.0.1:4500`.
 * Another is, for example, `unix:///run/lintel.sock`. Once connected, a connection that is lost is made again for ever, and
 * services and subscriptions are announced anew; requests fail at once meanwhile.
 * Rejects with `NOT_CONNECTED` when there is no first connection in time, and with a TypeError for a URL that is none.
 */
export function connect(url: string, options?: ConnectOptions): Promise<Peer>;
export function connect(options?: ConnectOptions): Promise<Peer>;
export async function connect(
  first: string | ConnectOptions = {},
  second: ConnectOptions = {},
): Promise<Peer> {
  checkArgument("connect", "its first argument", first, orNull(aUrlOrOptions));
  const given = (typeof first === "string" ? second : first) ?? {};
  checkOptions("connect", given, { transports: orNull(aRegistry) });
  const { transports, ...options } = given;
  const url = typeof first === "string" ? first : process.env["LINTEL_HUB"] || DEFAULT_URL;
  const transport = await (transports ?? new TransportRegistry()).for(url);
  return dialPeer(transport, url, options, { objects: nodeObjects, sideChannels });
}
