/**
 * middleman's client in a page, written from what it says and expects: it does not wait for the greeting's second frame, looks
 * up `ReqID` in exactly this spelling, and splits messages at CRLF.
 */
import { once } from "node:events";
import { WebSocket } from "ws";

export interface PageMessage {
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class BrowserClient implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #requests = new Map<string, (answer: PageMessage) => void>();
  readonly #subscriptions = new Map<string, (message: PageMessage) => void>();
  /** Bodies of ERROR messages. */
  readonly errors: string[] = [];
  guid = "";
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async dial(url: string, key: string): Promise<BrowserClient> {
    const socket = new WebSocket(url);
    const client = new BrowserClient(socket);
    await once(socket, "open");
    socket.send(key);
    const [greeting] = (await once(socket, "message")) as [Buffer];
    if (greeting.toString() !== "MM OK") throw new Error(greeting.toString());
    socket.on("message", (data: Buffer) => client.#hear(data.toString()));
    return client;
  }

  #hear(text: string): void {
    if (!text.includes("\r\n")) {
      this.guid = text;
      return;
    }
    const lines = text.split("\r\n");
    const [first = ""] = lines;
    const empty = lines.indexOf("");
    const headers: Record<string, string> = {};
    for (const line of lines.slice(1, empty)) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
    }
    const [command, target] = [first.slice(0, first.indexOf(" ")), first.slice(first.indexOf(" ") + 1)];
    const message = { target, headers, body: lines.slice(empty + 1, lines.lastIndexOf(".")).join("\r\n") };
    if (command === "RES") {
      const id = headers["ReqID"] ?? "";
      this.#requests.get(id)?.(message);
      this.#requests.delete(id);
    } else if (target === "ERROR") this.errors.push(message.body);
    else this.#subscriptions.get(target)?.(message);
  }

  #send(command: string, target: string, headers: Readonly<Record<string, string>>, body: string): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.send(`${command} ${target}\r\n${lines.join("")}\r\n${body}\r\n.\r\n`);
  }

  pub(target: string, cmd: string, body: string): void {
    this.#send("PUB", target, { cmd }, body);
  }

  sub(target: string, handler: (message: PageMessage) => void): void {
    this.#subscriptions.set(target, handler);
    this.#send("SUB", target, {}, "");
  }

  request(target: string, cmd: string, body: string): Promise<PageMessage> {
    const id = `r${++this.#last}`;
    return new Promise((resolve) => {
      this.#requests.set(id, resolve);
      this.#send("REQ", target, { ReqID: id, cmd }, body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, "close");
    this.#socket.terminate();
    await closed;
  }
}
