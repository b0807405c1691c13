/** Hubs and peers over TCP, and ways to wait for what they do. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { createHub, type Hub, type HubConfig } from "../../../src/hub/hub.ts";
import { connect, type ConnectOptions } from "../../../src/peer/connect.ts";
import type { Peer } from "../../../src/peer/peer.ts";
import { Watched } from "../../wire/watched.ts";

/** States a peer's link has gone through. */
export class LinkLog extends Watched {
  readonly states: string[] = [];

  readonly onState: NonNullable<ConnectOptions["onState"]> = (state) => {
    this.states.push(state);
    this.changed();
  };

  /** Resolves when the link has come to this state for the nth time. */
  reached(state: string, times = 1): Promise<void> {
    return this.until(() => this.states.filter((one) => one === state).length >= times);
  }
}

export function startHub(url: string, config: HubConfig = {}): Promise<Hub> {
  return createHub({ http: false, listen: [url], onError: () => undefined, ...config });
}

export async function startPeer(
  url: string,
  options: ConnectOptions = {},
): Promise<{ peer: Peer; link: LinkLog }> {
  const link = new LinkLog();
  const peer = await connect(url, { onState: link.onState, onError: () => undefined, ...options });
  return { peer, link };
}

/** What became of a request: its value, or the reason of its failure. */
export function outcome(answer: Promise<unknown>): Promise<unknown> {
  return answer.then(
    (value) => value,
    (error: { reason?: string }) => error.reason ?? "an error without a reason",
  );
}

/** A value that is set later. */
export function later<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: ((value: T) => void) | undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: resolve! };
}

/** A network between peers and a hub that can be cut without a word, and mended. */
export class Cable implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  readonly #joins = new Watched();
  #cut = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(hubUrl: string): Promise<Cable> {
    const server = createServer();
    const cable = new Cable(server);
    server.on("connection", (near) => cable.#join(near, Number(new URL(hubUrl).port)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return cable;
  }

  get url(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when so many connections have been made in all. */
  joined(count: number): Promise<void> {
    return this.#joins.until(() => this.#pairs.size >= count);
  }

  /** From now on nothing passes, and nobody is told. */
  cut(): void {
    this.#cut = true;
  }

  /** New connections pass again; those that were cut stay dead. */
  mend(): void {
    this.#cut = false;
  }

  /** Resets every connection, as a device on the way does that has forgotten them. */
  reset(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
    this.#pairs.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket, port: number): void {
    const far = connectSocket({ host: "127.0.0.1", port });
    const pair: [Socket, Socket] = [near, far];
    this.#pairs.add(pair);
    this.#joins.changed();
    let dead = this.#cut;
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on("data", (chunk: Buffer) => {
        dead ||= this.#cut;
        if (!dead) to.write(chunk);
      });
      from.on("close", () => {
        if (!dead) to.destroy();
      });
      from.on("error", () => undefined); // the other side is told by `close`
    }
  }
}
