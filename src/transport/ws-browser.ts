/**
 * WebSockets of the platform, as browsers have them: dialing only, nothing of Node. The platform copies what it sends,
 * and does not report when it has sent it.
 */
import { viewOf } from "../message/bytes.ts";
import { refuseOptions } from "./address.ts";
import { SESSION_PROTOCOL } from "./session-protocol.ts";
import type { Connection, ConnectionHandler, DialOptions, Transport } from "./transport.ts";
import { MAX_MESSAGE, WS_WINDOW, closeError, parseWs } from "./ws-limits.ts";

/** How often a WebSocket that is full is asked whether it still is. Milliseconds. */
const POLL_MS = 4;
const OPEN = 1;

/** As much of the platform's WebSocket as is used here. */
export interface PlatformWebSocket {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void, options?: { once: boolean }): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

export type PlatformWebSocketClass = new (url: string, protocols: string[]) => PlatformWebSocket;

/** A transport over the platform's WebSocket, or another that has its interface. */
export function createBrowserTransport(
  scheme: "ws" | "wss",
  WebSocketClass?: PlatformWebSocketClass,
): Transport {
  return {
    scheme,
    supports: { inProcess: false, remote: true, encrypted: scheme === "wss", bypasses: false },

    async dial(url, options = {}) {
      const target = parseWs(url, scheme);
      refuseOptions(url, options, "tls");
      return dialPlatform(WebSocketClass ?? platformWebSocket(), target.href, options);
    },

    listen(url) {
      return Promise.reject(new TypeError(`nothing can listen on ${url} in a browser`));
    },
  };
}

function platformWebSocket(): PlatformWebSocketClass {
  const found = (globalThis as { WebSocket?: PlatformWebSocketClass }).WebSocket;
  if (found === undefined) throw new TypeError("this platform has no WebSocket");
  return found;
}

function dialPlatform(
  WebSocketClass: PlatformWebSocketClass,
  url: string,
  { timeoutMs, signal }: DialOptions,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const websocket = new WebSocketClass(url, [SESSION_PROTOCOL]);
    websocket.binaryType = "arraybuffer";
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: Error): void => {
      settle();
      reject(error);
      websocket.close();
    };
    const onAbort = (): void => fail(new Error("dialing was aborted"));
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => fail(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    // The platform hides from pages why a connection failed. Once it is open, 'close' follows and says more.
    const onError = (): void => fail(new Error(`no WebSocket to ${url}; the browser's console may say why`));
    websocket.addEventListener("error", onError);
    websocket.addEventListener("open", () => {
      settle();
      resolve(new BrowserConnection(websocket, url));
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

class BrowserConnection implements Connection {
  readonly remote: string;
  readonly #websocket: PlatformWebSocket;
  #handler: ConnectionHandler | undefined;
  /** What arrived before `open`. The platform cannot be told to wait: past the size of a message it is the end. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #poll: ReturnType<typeof setTimeout> | undefined;
  #over = false;
  #error: Error | undefined;

  constructor(websocket: PlatformWebSocket, remote: string) {
    this.#websocket = websocket;
    this.remote = remote;
    websocket.addEventListener("message", ({ data }) => this.#received(data));
    websocket.addEventListener("close", ({ code, reason }) => this.#ended(closeError(code, reason)));
  }

  open(handler: ConnectionHandler): void {
    this.#handler = handler;
    for (const bytes of this.#early.splice(0)) handler.data(bytes, true);
    if (!this.#over) return;
    setTimeout(() => handler.closed(this.#error), 0);
  }

  send(bytes: Uint8Array): boolean {
    const websocket = this.#websocket;
    if (this.#over || websocket.readyState !== OPEN) return true; // `closed` is on its way
    for (let at = 0; at < bytes.length; at += MAX_MESSAGE) {
      websocket.send(viewOf(bytes, at, Math.min(at + MAX_MESSAGE, bytes.length)));
    }
    if (websocket.bufferedAmount <= WS_WINDOW) return true;
    this.#poll ??= setTimeout(() => this.#look(), POLL_MS);
    return false;
  }

  close(): void {
    this.#websocket.close(1000);
  }

  /** The platform has no way to drop a connection: it is left alone, and closes when the other end lets it. */
  abort(): void {
    this.#websocket.close();
    setTimeout(() => this.#ended(undefined), 0);
  }

  #look(): void {
    this.#poll = undefined;
    if (this.#over) return;
    if (this.#websocket.bufferedAmount > 0) this.#poll = setTimeout(() => this.#look(), POLL_MS);
    else this.#handler?.drained();
  }

  #received(data: unknown): void {
    if (this.#over) return;
    // RFC 6455, section 7.4.1: pages may not give 1003 themselves.
    if (!(data instanceof ArrayBuffer))
      return this.#websocket.close(4003, "only binary messages are accepted");
    if (data.byteLength === 0 || this.#websocket.readyState !== OPEN) return;
    if (this.#poll !== undefined) {
      clearTimeout(this.#poll); // in a tab that is not seen timers wait for a minute, messages do not
      this.#look();
    }
    const bytes = new Uint8Array(data);
    if (this.#handler === undefined) this.#wait(bytes);
    else this.#handler.data(bytes, true);
  }

  #wait(bytes: Uint8Array): void {
    this.#early.push(bytes);
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes > MAX_MESSAGE) this.abort();
  }

  #ended(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    clearTimeout(this.#poll);
    this.#handler?.closed(error);
  }
}
