/** A client of commands that knows nothing of Lintel: JSON over a WebSocket or a TCP connection. */
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { WebSocket } from "ws";
import { until } from "../../house/until.ts";

export interface Said {
  readonly key?: string;
  readonly action: string;
  readonly body?: unknown;
  readonly timeout?: number;
}

export class RawClient implements AsyncDisposable {
  /** What has come, the oldest first, without what was taken. */
  readonly heard: Said[] = [];
  /** The texts of it all. */
  text = "";
  /** Is given each reply, in place of `heard`. */
  onReply: ((said: Said) => void) | undefined;
  /** Commands that have come, those included that were taken. */
  count = 0;
  isClosed = false;
  /** Of a WebSocket. */
  closeCode = 0;
  closeReason = "";
  readonly #send: (bytes: string | Uint8Array) => void;
  readonly #cut: () => void;
  readonly #pause: (going: boolean) => void;
  readonly #replies = new Map<string, (said: Said) => Said>();
  #rest = "";
  #keys = 0;

  private constructor(
    send: (bytes: string | Uint8Array) => void,
    cut: () => void,
    pause: (going: boolean) => void,
  ) {
    this.#send = send;
    this.#cut = cut;
    this.#pause = pause;
  }

  /** By the scheme of the URL. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<RawClient> {
    if (url.startsWith("tcp:")) return RawClient.#overTcp(url);
    const socket = new WebSocket(url, { headers });
    const client = new RawClient(
      (bytes) => socket.send(bytes),
      () => socket.terminate(),
      (going) => (going ? socket.resume() : socket.pause()),
    );
    socket.on("message", (data: Buffer) => client.#take(data.toString()));
    socket.on("close", (code, reason) => {
      client.isClosed = true;
      client.closeCode = code;
      client.closeReason = String(reason);
    });
    await once(socket, "open");
    socket.on("error", () => undefined); // 'close' follows
    return client;
  }

  static async #overTcp(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url.replace("tcp:", "http:"));
    const socket: Socket = connectTcp(Number(port), hostname);
    const client = new RawClient(
      (bytes) => socket.write(bytes),
      () => socket.resetAndDestroy(),
      (going) => (going ? socket.resume() : socket.pause()),
    );
    socket.setEncoding("utf8").on("data", (text) => client.#take(String(text)));
    socket.on("close", () => (client.isClosed = true));
    await once(socket, "connect");
    socket.on("error", () => undefined);
    return client;
  }

  /** Bytes as they are. */
  sendRaw(bytes: string | Uint8Array): void {
    this.#send(bytes);
  }

  send(said: Said): void {
    this.#send(`${JSON.stringify(said)}\n`);
  }

  /** Sends a call, and resolves with its reply. */
  async call(action: string, body?: unknown, more: { readonly timeout?: number } = {}): Promise<Said> {
    this.#keys += 1;
    const key = `k${this.#keys}`;
    this.send({ key, action, ...(body === undefined ? {} : { body }), ...more });
    return this.next(({ key: heard }) => heard === key, `the reply to ${action}`);
  }

  /** The first that has come, or comes, like this. It is taken. */
  async next(isIt: (said: Said) => boolean, what: string): Promise<Said> {
    const found = await until(() => this.heard.find(isIt) ?? (this.isClosed ? CLOSED : undefined), what);
    if (found !== CLOSED) this.heard.splice(this.heard.indexOf(found), 1);
    return found;
  }

  /** The next command that is no reply. */
  nextCommand(): Promise<Said> {
    return this.next(({ action }) => !action.startsWith("drs."), "a command");
  }

  /** Answers each command of this action. */
  answers(action: string, answer: (body: unknown) => unknown): void {
    this.handles(action, ({ key, body }) => ({ key: key!, action: "drs.response", body: answer(body) }));
  }

  /** Sends what is returned for each command of this action. */
  handles(action: string, reply: (said: Said) => Said): void {
    this.#replies.set(action, reply);
  }

  pause(): void {
    this.#pause(false);
  }

  resume(): void {
    this.#pause(true);
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, "the end of the connection");
  }

  /** It is gone, without a word. */
  leave(): void {
    this.#cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.leave();
    await this.closed();
  }

  #take(text: string): void {
    this.text += text;
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const said = JSON.parse(line) as Said;
      if (!said.action.startsWith("drs.")) this.count++;
      if (this.onReply !== undefined && said.action.startsWith("drs.")) {
        this.onReply(said);
        continue;
      }
      const reply = this.#replies.get(said.action);
      if (reply === undefined) this.heard.push(said);
      else this.send(reply(said));
    }
  }
}

/** What `next` resolves with when the connection has ended. */
export const CLOSED: Said = Object.freeze({ action: "closed" });
