/** Frames made and read without the code under test, as a port to another language would do it. */
import { Watched } from "./watched.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly aux: number;
  readonly target: number;
  readonly id: number;
  readonly body: Buffer;
}

export interface FrameParts {
  readonly type: number;
  readonly flags?: number;
  readonly aux?: number;
  readonly target?: number;
  readonly id?: number;
  readonly body?: string | Uint8Array;
  /** A length that lies. */
  readonly length?: number;
}

export function frameBytes(parts: FrameParts): Buffer {
  const body = Buffer.from(parts.body ?? "");
  const header = Buffer.alloc(16);
  header.writeUInt32LE(parts.length ?? body.length, 0);
  header.writeUInt8(parts.type, 4);
  header.writeUInt8(parts.flags ?? 0, 5);
  header.writeUInt16LE(parts.aux ?? 0, 6);
  header.writeUInt32LE(parts.target ?? 0, 8);
  header.writeUInt32LE(parts.id ?? 0, 12);
  return Buffer.concat([header, body]);
}

/** A frame whose body begins with a header block. */
export function withHeaders(
  parts: FrameParts,
  headers: Readonly<Record<string, string>>,
  payload: string | Uint8Array = "",
  prefix: Uint8Array = Buffer.alloc(0),
): Buffer {
  const block = Buffer.from(
    Object.entries(headers)
      .map(([name, value]) => `${name}:${value}\n`)
      .join(""),
  );
  return frameBytes({
    ...parts,
    aux: block.length,
    body: Buffer.concat([prefix, block, Buffer.from(payload)]),
  });
}

export const LIMITS = { "max-payload": "1048576", "max-headers": "32768" };

export function helloBytes(headers: Readonly<Record<string, string>> = LIMITS): Buffer {
  return withHeaders({ type: 1, target: 1, id: 1 }, headers);
}

export function welcomeBytes(headers: Readonly<Record<string, string>> = LIMITS): Buffer {
  return withHeaders({ type: 2, target: 1 }, headers);
}

export function bindBytes(number: number, subject: string, registration = 0): Buffer {
  return frameBytes({ type: 7, target: number, id: registration, body: subject });
}

export function serveBytes(registration: number, pattern: string, queue = "", concurrency = 0): Buffer {
  return frameBytes({
    type: 8,
    aux: queue.length,
    target: concurrency,
    id: registration,
    body: queue + pattern,
  });
}

export function subscribeBytes(registration: number, pattern: string, policy = 0): Buffer {
  return frameBytes({ type: 9, target: policy, id: registration, body: pattern });
}

/** `verb`: 1 publish, 2 subscribe, 3 request. */
export function enableBytes(registration: number, pattern: string, verb = 3): Buffer {
  return frameBytes({ type: 13, target: verb, id: registration, body: pattern });
}

export function requestBytes(binding: number, id: number, payload = "", timeoutMs = 30_000): Buffer {
  return withHeaders({ type: 16, target: binding, id, flags: 2 }, {}, payload, timeoutPrefix(timeoutMs));
}

export function timeoutPrefix(timeoutMs: number): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(timeoutMs);
  return prefix;
}

export function replyBytes(registration: number, id: number, payload = ""): Buffer {
  return frameBytes({ type: 17, target: registration, id, flags: 2, body: payload });
}

export function publishBytes(binding: number, payload: string | Uint8Array = ""): Buffer {
  return frameBytes({ type: 20, target: binding, flags: 2, body: payload });
}

/** Header block and payload of a frame; `prefix` bytes go before. */
export function bodyOf(frame: Frame, prefix = 0): { headers: [string, string][]; payload: Buffer } {
  const end = prefix + frame.aux;
  const block = frame.body.toString("utf8", prefix, end);
  const headers = block
    .split("\n")
    .slice(0, -1)
    .map((line): [string, string] => {
      const colon = line.indexOf(":", 1);
      return [line.slice(0, colon), line.slice(colon + 1)];
    });
  return { headers, payload: frame.body.subarray(end) };
}

/** The headers of a frame as an object: what a failure says. */
export function sayings(frame: Frame): Record<string, string | undefined> {
  return Object.fromEntries(bodyOf(frame).headers);
}

/** Cuts bytes into frames as they come in. */
export class FrameLog extends Watched {
  readonly frames: Frame[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  /** Every byte, in order. */
  received: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): void {
    this.received = Buffer.concat([this.received, chunk]);
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 16) {
      const end = 16 + this.#bytes.readUInt32LE(0);
      if (this.#bytes.length < end) break;
      this.frames.push({
        type: this.#bytes.readUInt8(4),
        flags: this.#bytes.readUInt8(5),
        aux: this.#bytes.readUInt16LE(6),
        target: this.#bytes.readUInt32LE(8),
        id: this.#bytes.readUInt32LE(12),
        body: this.#bytes.subarray(16, end),
      });
      this.#bytes = this.#bytes.subarray(end);
    }
    this.changed();
  }

  /** Frames of one type. */
  of(type: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The first frame of this type, now or when it comes. */
  async next(type: number): Promise<Frame> {
    await this.until(() => this.of(type).length > 0);
    return this.of(type)[0]!;
  }
}
