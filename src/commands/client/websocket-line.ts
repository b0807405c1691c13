/** A line over a WebSocket that was dialed: that of a browser, or another with its interface. Nothing of Node. */
import { LintelError } from "../../message/failure.ts";
import { urlText } from "../../message/url-text.ts";
import { WS_WINDOW, closeError } from "../../transport/ws-limits.ts";
import type { CommandLine, LineEnd, LineEvents } from "../line.ts";

const OPEN = 1;
/** How often a WebSocket that is full is asked whether it still is. Milliseconds. */
const POLL_MS = 4;
/** A platform's WebSocket cannot be told to stop reading. So much is kept while the reader does not read; more ends the line. Bytes. */
const MAX_UNREAD = 16_777_216;
/** RFC 6455, section 5.5: bytes of a close frame after its code. */
const MAX_REASON = 123;

/** As much of a browser's WebSocket as is used here. */
export interface DialedWebSocket {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  /** Drops the connection. Browsers cannot. */
  terminate?(): void;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

/** Waits until a WebSocket that was just made is open. Rejects with what the platform says of its failure. */
export function openWebSocketLine(
  websocket: DialedWebSocket,
  url: string,
  signal: AbortSignal,
): Promise<CommandLine> {
  return new Promise((resolve, reject) => {
    websocket.binaryType = "arraybuffer";
    const onAbort = (): void => {
      websocket.close();
      reject(signal.reason as Error);
    };
    websocket.addEventListener("error", ({ message }) => {
      signal.removeEventListener("abort", onAbort);
      reject(new Error(message ?? `no WebSocket to ${urlText(url)}; the browser's console may say why`));
    });
    websocket.addEventListener("open", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(new WebSocketLine(websocket, url));
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

class WebSocketLine implements CommandLine {
  readonly remote: string;
  readonly #websocket: DialedWebSocket;
  #events: LineEvents | undefined;
  /** What arrived before `open`, or while reading is stopped. */
  readonly #unread: (Uint8Array | string)[] = [];
  #unreadBytes = 0;
  #isReading = true;
  #isOver = false;
  #error: Error | undefined;
  #poll: ReturnType<typeof setTimeout> | undefined;

  constructor(websocket: DialedWebSocket, url: string) {
    this.remote = urlText(url);
    this.#websocket = websocket;
    websocket.addEventListener("message", ({ data }) => this.#received(data));
    websocket.addEventListener("close", ({ code, reason }) => this.#ended(closeError(code, reason)));
  }

  get buffered(): number {
    return this.#websocket.bufferedAmount;
  }

  open(events: LineEvents): void {
    this.#events = events;
    // Later: nothing may be called before `open` has returned.
    queueMicrotask(() => {
      this.#handOn();
      if (this.#isOver) this.#tellEnd();
    });
  }

  send(encoded: string | Uint8Array): boolean {
    const websocket = this.#websocket;
    if (websocket.readyState !== OPEN) return true; // `closed` is on its way
    websocket.send(encoded);
    if (websocket.bufferedAmount <= WS_WINDOW) return true;
    this.#poll ??= setTimeout(() => this.#look(), POLL_MS);
    return false;
  }

  read(going: boolean): void {
    this.#isReading = going;
    if (going) this.#handOn();
  }

  close({ code, reason }: LineEnd = { code: 1000, reason: "" }): void {
    const isLong = new TextEncoder().encode(reason).length > MAX_REASON;
    this.#websocket.close(pageCode(code), isLong ? "" : reason);
  }

  abort(): void {
    if (this.#websocket.terminate === undefined) this.#websocket.close();
    else this.#websocket.terminate();
    setTimeout(() => this.#ended(undefined), 0);
  }

  #look(): void {
    this.#poll = undefined;
    if (this.#isOver) return;
    if (this.#websocket.bufferedAmount > 0) this.#poll = setTimeout(() => this.#look(), POLL_MS);
    else this.#events?.drained();
  }

  #received(data: unknown): void {
    if (this.#isOver) return;
    if (this.#poll !== undefined) {
      clearTimeout(this.#poll); // in a tab that is not seen timers wait for a minute, messages do not
      this.#look();
    }
    const chunk = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer);
    if (this.#isReading && this.#unread.length === 0 && this.#events !== undefined)
      return this.#events.data(chunk);
    this.#unread.push(chunk);
    this.#unreadBytes += chunk.length;
    if (this.#unreadBytes <= MAX_UNREAD) return;
    this.#error = LintelError.of("SLOW_CONSUMER", `more than ${MAX_UNREAD} bytes wait to be read`);
    this.abort();
  }

  #handOn(): void {
    while (this.#isReading && this.#unread.length > 0 && this.#events !== undefined) {
      const chunk = this.#unread.shift()!;
      this.#unreadBytes -= chunk.length;
      this.#events.data(chunk);
    }
  }

  #ended(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error ??= error;
    clearTimeout(this.#poll);
    this.#tellEnd();
  }

  #tellEnd(): void {
    const events = this.#events;
    this.#events = undefined;
    events?.closed(this.#error);
  }
}

/** Pages may give only 1000 and 3000 to 4999 themselves (RFC 6455, section 7.4). */
function pageCode(code: number): number {
  if (code === 1000 || code === 1001) return 1000;
  return code < 3_000 ? code + 3_000 : code;
}
