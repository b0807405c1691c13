import { urlText } from "../message/url-text.ts";
import { createMemoryTransport, processNames } from "./memory.ts";
import { checkArgument, shown, type Check } from "../message/options.ts";
import type { Transport } from "./transport.ts";

/** The transports at hand, found by the scheme of a URL and loaded when first used. */
export class TransportRegistry {
  readonly #loaded = new Map<string, Promise<Transport>>([
    ["memory", Promise.resolve(createMemoryTransport(processNames()))],
  ]);
  readonly #loaders = new Map<string, () => Promise<Transport>>([
    ["tcp", async () => (await import("./tcp.ts")).tcp],
    ["unix", async () => (await import("./unix.ts")).unix],
    ["h2", async () => (await import("./http2/transport.ts")).h2],
    ["h2c", async () => (await import("./http2/transport.ts")).h2c],
    ["http1", async () => (await import("./http1/transport.ts")).http1],
    ["http1s", async () => (await import("./http1/transport.ts")).http1s],
    ["tls", async () => (await import("./tls.ts")).tls],
    ["ws", async () => (await import("./ws/transport.ts")).ws],
    ["wss", async () => (await import("./ws/transport.ts")).wss],
  ]);

  /** The transport for a URL. Throws a TypeError that lists the schemes there are. */
  async for(url: string): Promise<Transport> {
    if (typeof url !== "string") throw new TypeError(`a URL is ${shown(url)}, it must be a string`);
    const scheme = url.slice(0, Math.max(0, url.indexOf(":")));
    let transport = this.#loaded.get(scheme);
    if (transport === undefined) {
      const load = this.#loaders.get(scheme);
      if (load === undefined) {
        const known = [...new Set([...this.#loaded.keys(), ...this.#loaders.keys()])].join(", ");
        throw new TypeError(`"${urlText(url)}" has no known transport; there are: ${known}`);
      }
      transport = load();
      this.#loaded.set(scheme, transport);
    }
    return transport;
  }

  /** Adds a transport, or replaces the one of its scheme. */
  add(transport: Transport): void {
    checkArgument("TransportRegistry.add", "the transport", transport, aTransport);
    this.#loaded.set(transport.scheme, Promise.resolve(transport));
  }
}

const aTransport: Check = (value) => {
  const { scheme, dial, listen } = (value ?? {}) as Partial<Record<keyof Transport, unknown>>;
  const isThere = typeof scheme === "string" && typeof dial === "function" && typeof listen === "function";
  return isThere ? undefined : "an object with scheme, supports, dial and listen";
};

/** What a hub and a peer take as `transports`. */
export const aRegistry: Check = (value) =>
  typeof (value as Partial<TransportRegistry> | null)?.for === "function"
    ? undefined
    : "a TransportRegistry; a transport of your own is added to one by add()";
