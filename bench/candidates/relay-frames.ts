/**
 * The frames of the relay: `u32 length | u32 kind | u32 target | u32 id | payload`, little-endian,
 * where `length` counts the whole frame. The target is a connection (requests, replies) or a feed (publications).
 */
import type { Socket } from "node:net";

export const HEADER_BYTES = 16;

export const KIND = { worker: 1, request: 2, reply: 3, subscribe: 4, publish: 5, ready: 6 } as const;

const KIND_AT = 4;
const TARGET_AT = 8;
const ID_AT = 12;
const NO_PAYLOAD = new Uint8Array(0);

export function encodeFrame(
  kind: number,
  target: number,
  id: number,
  payload: Uint8Array = NO_PAYLOAD,
): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(frame.length, 0);
  frame.writeUInt32LE(kind, KIND_AT);
  frame.writeUInt32LE(target, TARGET_AT);
  frame.writeUInt32LE(id, ID_AT);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function kindOf(frame: Buffer): number {
  return frame.readUInt32LE(KIND_AT);
}

export function targetOf(frame: Buffer): number {
  return frame.readUInt32LE(TARGET_AT);
}

export function idOf(frame: Buffer): number {
  return frame.readUInt32LE(ID_AT);
}

/** Rewrites the kind and the target in place, so that a frame passes through without a copy. */
export function retarget(frame: Buffer, kind: number, target: number): Buffer {
  frame.writeUInt32LE(kind, KIND_AT);
  frame.writeUInt32LE(target, TARGET_AT);
  return frame;
}

/** Calls back once per whole frame. The frame is a view of what was read and stays valid afterwards. */
export function readFrames(socket: Socket, receive: (frame: Buffer) => void): void {
  let rest: Buffer | undefined;
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const end = at + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      receive(bytes.subarray(at, end));
      at = end;
    }
    rest = at === bytes.length ? undefined : bytes.subarray(at);
  });
}

/** Collects frames and writes them once per turn of the event loop: the one optimization a plain relay needs. */
export class FrameWriter {
  readonly #socket: Socket;
  #queue: Buffer[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(frame: Buffer): void {
    if (this.#queue.push(frame) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    if (this.#socket.destroyed) return;
    const [first] = queue;
    this.#socket.write(queue.length === 1 && first !== undefined ? first : Buffer.concat(queue));
  }
}
