/** The WebSocket under a text client: the platform's own, or one with its interface. */
import { LintelError } from "../message/failure.ts";

/** As much of a WebSocket as is used here. */
export interface PlatformSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

/** Makes a WebSocket for a URL. */
export type OpenSocket = (url: string) => PlatformSocket | Promise<PlatformSocket>;

export interface GreetedEvents {
  /** A text frame, once the server has let the client in. */
  frame(text: string): void;
  /** Called once, last. Not for a socket that was never let in. */
  closed(why: Error): void;
}

/** A connection that the server has let in. */
export interface GreetedSocket {
  readonly guid: string;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(): void;
}

const OPEN = 1;
/** What the server closes a connection with whose key is not good. */
const POLICY_VIOLATION = 1008;
const GUID = /^[0-9a-v]{20}$/;
const WELCOME = "MM OK";

/**
 * Opens a connection and shows the key. Rejects with `UNAUTHENTICATED` when the server refuses it, and with `NOT_CONNECTED` when
 * there is no server or it says nothing in time.
 */
export async function greet(
  open: OpenSocket,
  url: string,
  key: string,
  timeoutMs: number,
  events: GreetedEvents,
): Promise<GreetedSocket> {
  const socket = await open(url);
  return new Promise((resolve, reject) => {
    let state: "greeting" | "welcomed" | "in" | "over" = "greeting";
    const end = (why: Error): void => {
      if (state === "over") return;
      const wasIn = state === "in";
      state = "over";
      clearTimeout(timer);
      if (wasIn) events.closed(why);
      else {
        socket.close();
        reject(why);
      }
    };
    const timer = setTimeout(
      () => end(LintelError.of("NOT_CONNECTED", `the server has not let this client in in ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.addEventListener("open", () => socket.send(key));
    socket.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") return;
      if (state === "in") return events.frame(data);
      if (state === "greeting" && data === WELCOME) state = "welcomed";
      else if (state === "welcomed" && GUID.test(data)) {
        state = "in";
        clearTimeout(timer);
        resolve({
          guid: data,
          get bufferedAmount() {
            return socket.bufferedAmount;
          },
          send: (text) => {
            if (socket.readyState === OPEN) socket.send(text);
          },
          close: () => socket.close(1000, ""),
        });
      } else
        end(
          LintelError.of(
            "NOT_CONNECTED",
            `this is no server of the text protocol: it does not say ${WELCOME}`,
          ),
        );
    });
    socket.addEventListener("error", () => undefined); // `close` follows
    socket.addEventListener("close", ({ code, reason }) => end(closeError(code, reason, state === "in")));
  });
}

function closeError(code: number, reason: string, wasIn: boolean): LintelError {
  const text = reason === "" ? `the connection ended with code ${code}` : reason;
  if (code === POLICY_VIOLATION && !wasIn) return LintelError.of("UNAUTHENTICATED", text);
  return LintelError.of(wasIn ? "CONNECTION_LOST" : "NOT_CONNECTED", text);
}
