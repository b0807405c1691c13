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

export interface ListenerOptions {
  /** For those that take some and have none of their own. */
  readonly tls?: TlsOptions | undefined;
  /** Rejects for a URL that is not to be listened on. */
  readonly checkListen?: ((url: string) => Promise<void>) | undefined;
  readonly onRefused?: ListenOptions["onRefused"];
}

export class SessionListeners {
  readonly #accept: (connection: Connection) => void;
  readonly #transports: TransportRegistry;
  readonly #options: ListenerOptions;
  readonly #open = new Set<Listener>();

  constructor(
    accept: (connection: Connection) => void,
    transports: TransportRegistry,
    options: ListenerOptions,
  ) {
    this.#accept = accept;
    this.#transports = transports;
    this.#options = options;
  }

  get urls(): string[] {
    return [...this.#open].map(({ url }) => url);
  }

  async listen(at: string | ListenAt): Promise<HubListener> {
    const { url, ...options } = listenOptionsOf(typeof at === "string" ? { url: at } : at);
    const transport = await this.#transports.for(url);
    const { tls, checkListen, onRefused } = this.#options;
    const { encrypted, inProcess } = transport.supports;
    if (!inProcess) await checkListen?.(url);
    const listener = await transport.listen(url, this.#accept, {
      ...(tls !== undefined && encrypted && !inProcess ? { tls } : {}),
      ...(onRefused === undefined ? {} : { onRefused }),
      ...options,
    });
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
