/** A hub on TCP, and sockets that speak to it byte by byte. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createHub, type Hub, type HubConfig } from "../../../src/hub/hub.ts";
import type { Failure } from "../../../src/message/failure.ts";
import { FrameLog, helloBytes, sayings, type Frame } from "../../wire/frame-bytes.ts";
import { Watched } from "../../wire/watched.ts";

/** What a hub tells of its sessions. */
export class SessionLog extends Watched {
  opened = 0;
  readonly closed: (Failure | undefined)[] = [];

  readonly onSession: NonNullable<HubConfig["onSession"]> = (event, _remote, why) => {
    if (event === "opened") this.opened++;
    else this.closed.push(why);
    this.changed();
  };
}

export interface RawHarness extends AsyncDisposable {
  readonly hub: Hub;
  readonly url: string;
  readonly port: number;
  readonly sessions: SessionLog;
  /** What the hub's `onError` was told. */
  readonly errors: readonly { readonly error: unknown; readonly where: string }[];
}

export async function hubOnTcp(limits: HubConfig["limits"] = {}): Promise<RawHarness> {
  const sessions = new SessionLog();
  const errors: { error: unknown; where: string }[] = [];
  const hub = await createHub({
    http: false,
    listen: ["tcp://127.0.0.1:0"],
    limits,
    onSession: sessions.onSession,
    onError: (error, where) => void errors.push({ error, where }),
  });
  const url = hub.urls[0]!;
  return {
    hub,
    url,
    port: Number(new URL(url).port),
    sessions,
    errors,
    [Symbol.asyncDispose]: () => hub.close(),
  };
}

export class RawClient extends FrameLog {
  readonly socket: Socket;
  ended = false;

  private constructor(socket: Socket) {
    super();
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.push(chunk));
    socket.on("error", () => undefined); // a hub may reset a connection it has cut off; `close` follows
    socket.on("close", () => {
      this.ended = true;
      this.changed();
    });
  }

  static async dial(port: number): Promise<RawClient> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** A client that has been welcomed. */
  static async greeted(port: number): Promise<RawClient> {
    const client = await RawClient.dial(port);
    client.socket.write(helloBytes());
    await client.next(2);
    return client;
  }

  send(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.socket.write(chunk);
  }

  /** Sends in writes of their own, each handed to the system before the next. */
  async sendApart(...chunks: Uint8Array[]): Promise<void> {
    for (const chunk of chunks) {
      await new Promise((resolve) => this.socket.write(chunk, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  over(): Promise<void> {
    return this.until(() => this.ended);
  }

  /** The reason of the CLOSE that ends this connection. */
  async closeReason(): Promise<string | undefined> {
    await this.over();
    const close: Frame | undefined = this.of(4).at(-1);
    return close === undefined ? undefined : sayings(close)["reason"];
  }
}
