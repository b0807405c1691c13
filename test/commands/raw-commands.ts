/** Clients of a few lines that send any bytes and read JSON lines. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { WebSocket, type RawData } from "ws";

export interface RawCommand {
  readonly key?: unknown;
  readonly action: string;
  readonly body?: unknown;
}

interface End {
  readonly code: number;
  readonly reason: string;
}

export abstract class RawCommands {
  /** Each text as it came: a message, or a line with its end. */
  readonly texts: string[] = [];
  readonly end: Promise<End>;
  protected ended!: (end: End) => void;
  #taken = 0;
  #wake: () => void = () => undefined;

  constructor() {
    this.end = new Promise((resolve) => (this.ended = resolve));
    void this.end.then(() => this.#wake());
  }

  /** Sends each command for itself. */
  send(...commands: RawCommand[]): void {
    for (const command of commands) this.write(`${JSON.stringify(command)}\n`);
  }

  abstract write(bytes: string | Buffer): void;

  /** Ends without a word. */
  abstract destroy(): void;

  /** The next commands that came, or are to come. */
  async take(count: number): Promise<RawCommand[]> {
    let isOver = false;
    void this.end.then(() => (isOver = true));
    while (this.texts.length < this.#taken + count) {
      if (isOver) throw new Error(`the connection ended after ${JSON.stringify(this.texts)}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const from = this.#taken;
    this.#taken += count;
    return this.texts.slice(from, this.#taken).map((text) => JSON.parse(text) as RawCommand);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
    await this.end;
  }

  protected came(text: string): void {
    this.texts.push(text);
    this.#wake();
  }
}

class RawWeb extends RawCommands {
  readonly socket: WebSocket;

  constructor(url: string) {
    super();
    this.socket = new WebSocket(url);
    this.socket.on("message", (data: RawData) => this.came((data as Buffer).toString()));
    this.socket.on("close", (code, reason) => this.ended({ code, reason: reason.toString() }));
  }

  write(bytes: string | Buffer): void {
    this.socket.send(bytes);
  }

  destroy(): void {
    this.socket.terminate();
  }
}

class RawTcp extends RawCommands {
  readonly socket: Socket;
  #rest = "";

  constructor(url: string) {
    super();
    const { hostname: host, port } = new URL(url);
    this.socket = connect({ host, port: Number(port), noDelay: true });
    const decoder = new StringDecoder();
    this.socket.on("data", (chunk) => {
      const lines = (this.#rest + decoder.write(chunk)).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.came(`${line}\n`);
    });
    this.socket.on("close", () => this.ended({ code: 0, reason: "" }));
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

export async function webCommands(url: string): Promise<RawWeb> {
  const client = new RawWeb(url);
  await once(client.socket, "open");
  client.socket.on("error", () => undefined);
  return client;
}

export async function tcpCommands(url: string): Promise<RawTcp> {
  const client = new RawTcp(url);
  await once(client.socket, "connect");
  client.socket.on("error", () => undefined);
  return client;
}
