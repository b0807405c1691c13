import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { systemClock, type Clock } from "../runtime/clock.ts";
import { Heartbeat } from "../runtime/heartbeat.ts";
import { ClientBatch } from "../transport/ws/client-batch.ts";
import type { PlatformSocket } from "./socket.ts";

/** A server that is silent for so long is pinged, and is lost when it is silent for as long again. Milliseconds. */
const HEARTBEAT = { heartbeat: 5_000, heartbeatTimeout: 5_000 };

/**
 * A WebSocket of `ws` as browsers have it, except that messages are written past it, those of one turn of the loop together:
 * a write of its own for each would cost more than the rest of a client. And unlike theirs it notices a server that is silent.
 */
export class NodeSocket implements PlatformSocket {
  readonly #websocket: WebSocket;
  readonly #heartbeat: Heartbeat;
  #batch: ClientBatch | undefined;
  #isSilent = false;

  /** One that is being opened, without compression. */
  constructor(websocket: WebSocket, clock: Clock = systemClock) {
    this.#websocket = websocket;
    const heartbeat = new Heartbeat(clock, HEARTBEAT, {
      ping: () => websocket.ping(),
      lost: () => {
        this.#isSilent = true;
        websocket.terminate();
      },
    });
    this.#heartbeat = heartbeat;
    // 'open' follows in the same turn.
    websocket.once("upgrade", ({ socket }: { readonly socket: Duplex }) => {
      this.#batch = new ClientBatch(socket);
    });
    websocket.once("open", () => heartbeat.start());
    websocket.on("ping", () => heartbeat.heard());
    websocket.on("pong", () => heartbeat.heard());
    websocket.once("close", () => heartbeat.stop());
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
      websocket.on("close", (code, reason) =>
        told({ code, reason: this.#isSilent ? "the server has stopped answering pings" : reason.toString() }),
      );
    else
      websocket.on("message", (data: Buffer, isBinary: boolean) => {
        this.#heartbeat.heard();
        told({ data: isBinary ? data : data.toString() });
      });
  }
}
