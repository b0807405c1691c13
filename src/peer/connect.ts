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
  /** Transports besides, or instead of, the built-in ones. */
  readonly transports?: TransportRegistry;
}

/**
 * Connects to a hub, for example at `unix:///run/lintel.sock`. Without a URL it uses the environment variable LINTEL_HUB, or else
 * `tcp://127.0.0.1:4500`; without a key and a token, the variable LINTEL_KEY. After a lost connection it reconnects, without a
 * limit of attempts, and registers services and subscriptions again; in the meantime requests fail at once.
 * Rejects with `NOT_CONNECTED` if there is no first connection in time, and with a TypeError for an illegal URL.
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
  const key = options.key ?? ownKey(given);
  const url = typeof first === "string" ? first : process.env["LINTEL_HUB"] || DEFAULT_URL;
  const transport = await (transports ?? new TransportRegistry()).for(url);
  return dialPeer(transport, url, key === undefined ? options : { ...options, key }, {
    objects: nodeObjects,
    sideChannels,
  });
}

/** That of the environment, unless a token is given. */
function ownKey({ token }: ConnectOptions): string | undefined {
  const key = process.env["LINTEL_KEY"];
  return token !== undefined || key === undefined || key.trim() === "" ? undefined : key.trim();
}
