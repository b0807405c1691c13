/** HTTP/2 frames by hand (RFC 9113), for peers that do what no library would let them do. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Watched } from "../wire/watched.ts";

export const Type = {
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const END_HEADERS = 4;

export function h2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function numberBytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A header block without compression: literals that are not indexed. Names and values up to 126 bytes. */
export function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    headers.flatMap(([name, value]) => [
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]),
  );
}

/** The request that opens a session. */
export function openingHeaders(path = "/lintel"): [string, string][] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/lintel.v1"],
  ];
}

/** A socket that has sent the preface and settings, and nothing else unless told to. */
export class RawHttp2 extends Watched {
  readonly socket: Socket;
  readonly frames: { type: number; flags: number; stream: number; payload: Buffer }[] = [];
  isOver = false;
  #rest: Buffer = Buffer.alloc(0);

  /** A deaf one never reads. */
  constructor(port: number, deaf = false) {
    super();
    this.socket = connect({ port, host: "127.0.0.1" });
    this.socket.on("error", () => undefined); // being cut off is the point
    this.socket.on("close", () => {
      this.isOver = true;
      this.changed();
    });
    if (deaf) this.socket.pause();
    else this.socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.send(h2Frame(Type.settings, 0, 0));
  }

  send(...frames: Buffer[]): void {
    this.socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  }

  /** Sends the same bytes many times, at the pace of the socket, until it is cut off. */
  async flood(bytes: Buffer, times: number): Promise<void> {
    for (let n = 0; n < times && !this.isOver; n++) {
      if (this.socket.write(bytes) || this.socket.destroyed) continue;
      await Promise.race([once(this.socket, "drain").catch(() => undefined), this.until(() => this.isOver)]);
    }
  }

  over(): Promise<void> {
    return this.until(() => this.isOver);
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      this.frames.push({
        type: this.#rest.readUInt8(3),
        flags: this.#rest.readUInt8(4),
        stream: this.#rest.readUInt32BE(5),
        payload: this.#rest.subarray(9, end),
      });
      this.#rest = this.#rest.subarray(end);
    }
    this.changed();
  }
}
