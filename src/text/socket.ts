/** One connection of a text client: a WebSocket, the platform's own or one with its interface, whose server has let it in. */
import { LintelError } from "../message/failure.ts";
import { defer } from "../runtime/deferred.ts";
import type { TextKey } from "./api.ts";

/** As much of a WebSocket as is used here. */
export interface PlatformSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open", listener: () => void): void;
  /** Only Node says why. */
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

/** Makes a WebSocket for a URL. */
export type OpenSocket = (url: string) => PlatformSocket | Promise<PlatformSocket>;

export interface TextLineEvents {
  /** A text frame. */
  frame(text: string): void;
  /** Called once, last. */
  closed(why: LintelError): void;
}

const OPEN = 1;
/** What the server closes a connection with whose key is not good. */
const POLICY_VIOLATION = 1008;
const GUID = /^[0-9a-v]{20}$/;
const WELCOME = "MM OK";

/**
 * | state    | meaning                          | next                                        |
 * |----------|----------------------------------|---------------------------------------------|
 * | greeting | the key is shown, or will be     | welcomed, over (refused, lost, out of time) |
 * | welcomed | let in; the GUID follows         | in, over                                    |
 * | in       | frames go both ways              | over                                        |
 * | over     | the WebSocket is closed or will be |                                           |
 */
type State = "greeting" | "welcomed" | "in" | "over";

export class TextLine {
  readonly #socket: PlatformSocket;
  readonly #greeted = defer();
  #state: State = "greeting";
  #guid = "";
  #events: TextLineEvents | undefined;
  /** What has come before anybody listens. */
  readonly #early: string[] = [];
  /** Why it ended. */
  #why: LintelError | undefined;
  /** What the platform has said of its failure. */
  #error = "";

  constructor(socket: PlatformSocket, key: string) {
    this.#socket = socket;
    socket.addEventListener("open", () => socket.send(key));
    socket.addEventListener("message", ({ data }) => this.#message(data));
    socket.addEventListener("error", ({ message = "" }) => {
      this.#error = message; // `close` follows
    });
    socket.addEventListener("close", ({ code, reason }) => this.#end(this.#reasonOf(code, reason)));
  }

  /** Resolves when the server has let it in. Rejects with `UNAUTHENTICATED` or `NOT_CONNECTED`. */
  get greeted(): Promise<void> {
    return this.#greeted.promise;
  }

  /** The name that the server has given it. */
  get guid(): string {
    return this.#guid;
  }

  /** Bytes that wait to be sent. */
  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  /** From now on events go there, first what came before. To be called once. */
  listen(events: TextLineEvents): void {
    this.#events = events;
    for (const frame of this.#early.splice(0)) events.frame(frame);
    if (this.#why !== undefined) events.closed(this.#why);
  }

  send(text: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(text); // else its end is told in a moment
  }

  /** Ends it, for this reason. */
  close(why: LintelError): void {
    this.#end(why);
  }

  #message(data: unknown): void {
    switch (this.#state) {
      case "in":
        if (typeof data !== "string") return;
        if (this.#events === undefined) this.#early.push(data);
        else this.#events.frame(data);
        return;
      case "greeting":
        if (data === WELCOME) this.#state = "welcomed";
        else this.#stranger(`it does not say ${WELCOME}`);
        return;
      case "welcomed":
        if (typeof data !== "string" || !GUID.test(data)) return this.#stranger("it gives no name");
        this.#guid = data;
        this.#state = "in";
        return this.#greeted.resolve();
      case "over":
    }
  }

  #stranger(how: string): void {
    this.#end(LintelError.of("NOT_CONNECTED", `this is no server of the text protocol: ${how}`));
  }

  #end(why: LintelError): void {
    if (this.#state === "over") return;
    const wasIn = this.#state === "in";
    this.#state = "over";
    this.#why = why;
    this.#socket.close();
    if (wasIn) this.#events?.closed(why);
    else this.#greeted.reject(why);
  }

  #reasonOf(code: number, reason: string): LintelError {
    const text = reason || this.#error || `the WebSocket ended with code ${code}`;
    if (this.#state === "in")
      return LintelError.of(
        "CONNECTION_LOST",
        `the connection was lost (${text}); what was under way may have been executed`,
      );
    return LintelError.of(code === POLICY_VIOLATION ? "UNAUTHENTICATED" : "NOT_CONNECTED", text);
  }
}

export interface TextDial {
  readonly open: OpenSocket;
  readonly url: string;
  readonly key: TextKey;
}

/**
 * Opens a connection and shows the key. Rejects with `UNAUTHENTICATED` when the server refuses it, with `NOT_CONNECTED` when there
 * is no server, or none of this protocol, or the signal fires, and with what the platform throws for a URL.
 */
export async function dialText({ open, url, key }: TextDial, signal: AbortSignal): Promise<TextLine> {
  const shown = typeof key === "function" ? await keyOf(key, signal) : key;
  const socket = await open(url);
  const line = new TextLine(socket, shown);
  const onAbort = (): void => line.close(gaveUp(signal));
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    await line.greeted;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  return line;
}

function keyOf(ask: () => string | Promise<string>, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(gaveUp(signal));
    const failed = (error: unknown): void => {
      reject(LintelError.of("NOT_CONNECTED", `the function "key" failed: ${String(error)}`, error));
    };
    signal.addEventListener("abort", onAbort);
    void (async () => ask())()
      .then(resolve, failed)
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function gaveUp({ reason }: AbortSignal): LintelError {
  return LintelError.of("NOT_CONNECTED", reason instanceof Error ? reason.message : "given up", reason);
}
