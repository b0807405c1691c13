/** Where a hub listens for sessions: URLs, which may come and go while it runs. */
import type { Listening } from "../gateway/gateway.ts";
import type { NativeGateway } from "../gateway/native/gateway.ts";
import type { TransportRegistry } from "../transport/registry.ts";
import type { ListenAt, TlsOptions } from "../transport/transport.ts";

/** A place where a hub listens. */
export interface HubListener {
  /** With the port that was taken, where port 0 was asked for. */
  readonly url: string;
  /** Accepts nothing new. */
  close(): Promise<void>;
}

export class SessionDoors {
  readonly #native: NativeGateway;
  readonly #transports: TransportRegistry;
  readonly #tls: TlsOptions | undefined;
  readonly #open = new Set<Listening>();

  /** `tls` is for those that take some and have none of their own. */
  constructor(native: NativeGateway, transports: TransportRegistry, tls: TlsOptions | undefined) {
    this.#native = native;
    this.#transports = transports;
    this.#tls = tls;
  }

  get urls(): string[] {
    return [...this.#open].map((door) => door.url);
  }

  async listen(at: string | ListenAt): Promise<HubListener> {
    const { url, ...options } = typeof at === "string" ? { url: at } : at;
    const transport = await this.#transports.for(url);
    const takesTls = transport.supports.encrypted && !transport.supports.inProcess;
    const tls = takesTls && this.#tls !== undefined ? { tls: this.#tls } : {};
    const door = await this.#native.listen(transport, url, { ...tls, ...options });
    this.#open.add(door);
    return {
      url: door.url,
      close: () => {
        this.#open.delete(door);
        return door.close();
      },
    };
  }

  /** Other certificates, if this is the URL of one that has any; else false. */
  reload(url: string, tls: TlsOptions): boolean {
    const door = [...this.#open].find((one) => one.url === url);
    door?.reload?.(tls);
    return door?.reload !== undefined;
  }

  /** Accepts nothing new, anywhere; what sessions that are there need stays. */
  async drain(): Promise<void> {
    await Promise.all([...this.#open].map((door) => door.drain()));
  }

  /** Accepts nothing at all any more. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((door) => door.close()));
  }
}
