import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { ClientBatch } from "../transport/ws/client-batch.ts";
import type { PlatformSocket } from "./socket.ts";

/**
 * A WebSocket of `ws` as browsers have it, except that messages are written past it, those of one turn of the loop together:
 * a write of its own for each would cost more than the rest of a client.
 */
export class NodeSocket implements PlatformSocket {
  readonly #websocket: WebSocket;
  #batch: ClientBatch | undefined;

  /** One that is being opened, without compression. */
  constructor(websocket: WebSocket) {
    this.#websocket = websocket;
    // 'open' follows in the same turn.
    websocket.once("upgrade", ({ socket }: { readonly socket: Duplex }) => {
      this.#batch = new ClientBatch(socket);
    });
  }

  get readyState(): number {
    return this.#websocket.readyState;
  }

  get bufferedAmount(): number {
    return this.#batch?.buffered ?? 0;
  }

  send(text: string): void {
    if (this.#websocket.readyState === WebSocket.OPEN) this.#batch?.add(text);
  }

  close(code?: number, reason?: string): void {
    this.#batch?.write();
    this.#websocket.close(code, reason);
  }

  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
  addEventListener(type: "open" | "error" | "message" | "close", listener: (event: never) => void): void {
    const told = listener as (event: unknown) => void; // the overloads say which event it takes
    const websocket = this.#websocket;
    if (type === "open") websocket.on("open", () => told(undefined));
    else if (type === "error") websocket.on("error", told);
    else if (type === "close")
      websocket.on("close", (code, reason) => told({ code, reason: reason.toString() }));
    else
      websocket.on("message", (data: Buffer, isBinary: boolean) =>
        told({ data: isBinary ? data : data.toString() }),
      );
  }
}
