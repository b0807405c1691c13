/** A client of the text protocol that knows nothing of Lintel: text frames over a WebSocket. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { WebSocket, type ClientOptions } from "ws";
import { createHub, type Hub, type HubConfig } from "../../../src/index.ts";
import type { KeyOptions } from "../../../src/access/access-options.ts";
import { until } from "../../house/until.ts";

/** The keys of the original, and a role for each. */
export const SERVICE = "xyzzy";
export const CLIENT = "plugh";
export const OBSERVER = "jabberwocky";

export function keyOf(name: string, role: KeyOptions["role"], more: Partial<KeyOptions> = {}): KeyOptions {
  return { name, role, sha256: createHash("sha256").update(name).digest("hex"), ...more };
}

export const KEYS: readonly KeyOptions[] = [
  keyOf(SERVICE, "service"),
  keyOf(CLIENT, "client"),
  keyOf(OBSERVER, "observer"),
];

/** A hub with the text gateway on a port of its own, where the keys of the original are good. */
export function textHub(config: HubConfig = {}): Promise<Hub> {
  return createHub({ http: false, listen: [], text: 0, access: { keys: KEYS }, ...config });
}

/** A frame with CRLF. */
export function frame(first: string, headers: readonly string[] = [], body = ""): string {
  return [first, ...headers, "", body, "."].join("\r\n") + "\r\n";
}

export interface Received {
  readonly first: string;
  readonly headers: readonly string[];
  readonly body: string;
}

/** Takes a frame apart by the letter of what the hub may send: CRLF everywhere, an empty line before an empty body. */
export function parse(text: string): Received {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0 || !text.endsWith("\r\n.\r\n")) throw new Error(`no frame: ${JSON.stringify(text)}`);
  const [first = "", ...headers] = text.slice(0, head).split("\r\n");
  const stuffed = text.slice(head + 4, -5);
  return { first, headers, body: stuffed.replaceAll(/(^|\n)\.\./g, "$1.") };
}

export class RawText implements AsyncDisposable {
  readonly socket: WebSocket;
  /** What has come and was not taken, the oldest first. */
  readonly heard: string[] = [];
  guid = "";
  closed: { readonly code: number; readonly reason: string } | undefined;

  readonly #waiting: (() => void)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => {
      this.heard.push(data.toString());
      this.#wake();
    });
    socket.on("error", () => undefined); // 'close' follows
    socket.on("close", (code, reason: Buffer) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
  }

  /** Connects and sends the key. */
  static async dial(url: string, key: string, options: ClientOptions = {}): Promise<RawText> {
    const client = new RawText(new WebSocket(url, options));
    await once(client.socket, "open");
    client.send(key);
    return client;
  }

  /** Connects, and waits until the hub has let it in. */
  static async open(url: string, key: string, options: ClientOptions = {}): Promise<RawText> {
    const client = await RawText.dial(url, key, options);
    const greeting = await client.next();
    if (greeting !== "MM OK") throw new Error(`no greeting: ${greeting}`);
    client.guid = await client.next();
    return client;
  }

  send(text: string | Uint8Array): void {
    this.socket.send(text, { binary: false });
  }

  /** The next frame. */
  async next(): Promise<string> {
    await this.#until(() => this.heard.length > 0);
    const text = this.heard.shift();
    if (text === undefined) throw new Error(`closed: ${JSON.stringify(this.closed)}`);
    return text;
  }

  /** The next frame, taken apart. */
  async message(): Promise<Received> {
    return parse(await this.next());
  }

  /** Resolves when everything sent before has been handled, with what has come meanwhile. A refusal may take a turn longer. */
  async settled(): Promise<string[]> {
    const fence = `fence ${Math.random()}`;
    for (let count = 1; count <= 2; count++) {
      this.send(frame(`NONE ${fence}`));
      await this.#until(() => this.heard.filter((text) => text.includes(fence)).length === count);
    }
    return this.heard.splice(0).filter((text) => !text.includes(fence));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Looks with every frame that comes, and no further once the connection is closed. */
  async #until(check: () => boolean): Promise<void> {
    while (!check() && this.closed === undefined)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async ended(): Promise<{ readonly code: number; readonly reason: string }> {
    return until(() => this.closed, "the close");
  }

  close(): Promise<void> {
    this.socket.terminate();
    return this.ended().then(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
