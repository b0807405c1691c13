/** A server of the text protocol in memory, which says what the test wants, when it wants. */
import {
  decodeText,
  encodeText,
  isMalformed,
  type TextHeaders,
  type TextMessage,
} from "../../src/text/message.ts";
import type { PlatformSocket } from "../../src/text/socket.ts";

type Listener = (event: { data?: unknown; code: number; reason: string; message?: string }) => void;

export class FakeSocket implements PlatformSocket {
  readonly url: string;
  readonly sent: string[] = [];
  readyState = 0;
  bufferedAmount = 0;
  readonly #listeners = new Map<string, Listener[]>();

  constructor(url: string) {
    this.url = url;
  }

  addEventListener(type: string, listener: unknown): void {
    const listeners = this.#listeners.get(type) ?? [];
    this.#listeners.set(type, [...listeners, listener as Listener]); // the client listens as its interface says
  }

  send(text: string): void {
    this.sent.push(text);
  }

  /** The client's end. */
  close(): void {
    if (this.readyState < 2) this.readyState = 2;
  }

  // The server's side

  opens(): void {
    this.readyState = 1;
    this.#emit("open");
  }

  /** What a server says to a key that is good. */
  welcomes(guid: string): void {
    this.opens();
    this.saysFrame("MM OK");
    this.saysFrame(guid);
  }

  saysFrame(data: unknown): void {
    this.#emit("message", { data });
  }

  says(command: string, target: string, headers: TextHeaders = [], body = ""): void {
    this.saysFrame(encodeText({ command, target, headers, body }));
  }

  ends(code = 1006, reason = "", message?: string): void {
    this.readyState = 3;
    if (message !== undefined) this.#emit("error", { message });
    this.#emit("close", { code, reason });
  }

  /** What the client has sent since, without the key. */
  takes(): TextMessage[] {
    return this.sent.splice(0).flatMap((frame) => {
      const message = decodeText(frame);
      return isMalformed(message) ? [] : [message];
    });
  }

  /** First lines of it. */
  takesLines(): string[] {
    return this.takes().map(({ command, target }) => `${command} ${target}`);
  }

  #emit(
    type: string,
    event: { data?: unknown; code?: number; reason?: string; message?: string } = {},
  ): void {
    for (const listener of this.#listeners.get(type) ?? []) listener({ code: 0, reason: "", ...event });
  }
}

export class FakeServer {
  readonly sockets: FakeSocket[] = [];
  readonly open = (url: string): FakeSocket => {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    return socket;
  };

  get last(): FakeSocket {
    return this.sockets.at(-1)!;
  }
}
