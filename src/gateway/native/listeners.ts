/** Where sessions come in: URLs, which may come and go while the gateway is open. */
import { millisecondsOf } from "../../message/options.ts";
import type { TransportRegistry } from "../../transport/registry.ts";
import type { Connection, ListenAt, Listener, ListenOptions, TlsOptions } from "../../transport/transport.ts";

/** A place where a hub listens. */
export interface HubListener {
  /** With the port that was taken, where port 0 was asked for. */
  readonly url: string;
  /** Accepts nothing new. */
  close(): Promise<void>;
}

export class SessionListeners {
  readonly #accept: (connection: Connection) => void;
  readonly #transports: TransportRegistry;
  readonly #tls: TlsOptions | undefined;
  readonly #checkListen: (url: string) => void;
  readonly #open = new Set<Listener>();

  /** `tls` is for those that take some and have none of their own; `checkListen` throws for a URL that is not to be listened on. */
  constructor(
    accept: (connection: Connection) => void,
    transports: TransportRegistry,
    tls: TlsOptions | undefined,
    checkListen: (url: string) => void = () => undefined,
  ) {
    this.#accept = accept;
    this.#transports = transports;
    this.#tls = tls;
    this.#checkListen = checkListen;
  }

  get urls(): string[] {
    return [...this.#open].map(({ url }) => url);
  }

  async listen(at: string | ListenAt): Promise<HubListener> {
    const { url, ...options } = listenOptionsOf(typeof at === "string" ? { url: at } : at);
    const transport = await this.#transports.for(url);
    if (!transport.supports.inProcess) this.#checkListen(url);
    const takesTls = transport.supports.encrypted && !transport.supports.inProcess;
    const tls = takesTls && this.#tls !== undefined ? { tls: this.#tls } : {};
    const listener = await transport.listen(url, this.#accept, { ...tls, ...options });
    this.#open.add(listener);
    return {
      url: listener.url,
      close: () => {
        this.#open.delete(listener);
        return listener.close();
      },
    };
  }

  /** Other certificates, if this is the URL of one that has any; else false. */
  reload(url: string, tls: TlsOptions): boolean {
    const listener = [...this.#open].find((one) => one.url === url);
    listener?.reload?.(tls);
    return listener?.reload !== undefined;
  }

  /** Accepts nothing new, anywhere. Sessions that are there stay, and what they need to go on. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((listener) => listener.close()));
  }
}

/** As a transport takes them. */
function listenOptionsOf(at: ListenAt): ListenOptions & { readonly url: string } {
  const { handshakeTimeout, ...options } = at;
  if (handshakeTimeout === undefined) return options;
  return {
    ...options,
    handshakeTimeoutMs: millisecondsOf("listen option handshakeTimeout", handshakeTimeout),
  };
}
