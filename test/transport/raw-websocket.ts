/** A WebSocket client of a few lines that sends whatever a test wants, right or wrong. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Header lines of a handshake that is in order, by name; a test replaces some or leaves them out. */
export function handshake(host: string, changed: Readonly<Record<string, string | undefined>> = {}): string {
  const headers: Record<string, string | undefined> = {
    Host: host,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "lintel.v1",
    ...changed,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}: ${value}\r\n`,
  );
  return lines.join("");
}

export interface FrameShape {
  readonly fin?: boolean;
  /** The three reserved bits, as a number. */
  readonly reserved?: number;
  readonly opcode: number;
  readonly masked?: boolean;
  /** The key, four bytes. */
  readonly mask?: Uint8Array;
  /** What the length says, where it is not the payload's. */
  readonly length?: bigint;
}

/** A frame as the shape says, which need not be legal. */
export function frame(shape: FrameShape, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const { fin = true, reserved = 0, opcode, masked = true, mask = Buffer.from([1, 2, 3, 4]) } = shape;
  const length = shape.length ?? BigInt(payload.length);
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const head = Buffer.concat([Buffer.from([first]), lengthBytes(length, masked ? 0x80 : 0)]);
  const body = masked ? payload.map((byte, index) => byte ^ mask[index % 4]!) : payload;
  return Buffer.concat(masked ? [head, mask, body] : [head, body]);
}

/** The shortest form, as RFC 6455, section 5.2 wants it. */
function lengthBytes(length: bigint, flag: number): Buffer {
  if (length < 126n) return Buffer.from([flag | Number(length)]);
  if (length < 65_536n) return Buffer.concat([Buffer.from([flag | 126]), bigEndian(length).subarray(6)]);
  return Buffer.concat([Buffer.from([flag | 127]), bigEndian(length)]);
}

function bigEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

export class RawWebSocket {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #changed: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#changed();
    });
    socket.on("error", () => undefined); // 'close' follows
    socket.on("close", () => {
      this.#ended = true;
      this.#changed();
    });
  }

  /** Connects and sends a request; `changed` are headers that differ from a good handshake, `early` goes with it. */
  static async request(
    url: string,
    changed: Readonly<Record<string, string | undefined>> = {},
    line?: string,
    early: Uint8Array = Buffer.alloc(0),
  ): Promise<RawWebSocket> {
    const { hostname, port, host, pathname } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    const raw = new RawWebSocket(socket);
    const request = `${line ?? `GET ${pathname} HTTP/1.1`}\r\n${handshake(host, changed)}\r\n`;
    socket.write(Buffer.concat([Buffer.from(request), early]));
    return raw;
  }

  /** Connects and waits until the WebSocket is open. `early` are bytes that follow the request at once. */
  static async open(url: string, early?: Uint8Array): Promise<RawWebSocket> {
    const raw = await RawWebSocket.request(url, {}, undefined, early);
    const head = await raw.head();
    if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`not open: ${head}`);
    return raw;
  }

  /** The head of the answer, which is then taken off what has arrived. */
  async head(): Promise<string> {
    await this.until(() => this.#received.includes("\r\n\r\n"));
    const end = this.#received.indexOf("\r\n\r\n") + 4;
    const head = this.#received.subarray(0, end).toString("latin1");
    this.#received = this.#received.subarray(end);
    return head;
  }

  /** Everything that arrives until the other end closes. */
  async rest(): Promise<Buffer> {
    await this.until(() => this.#ended);
    return this.#received;
  }

  /** The code of the close frame by which the other end takes its leave. */
  async closeCode(): Promise<number> {
    await this.until(() => this.#received.length >= 4 || this.#ended);
    if (this.#received[0] !== 0x88) throw new Error(`no close frame: ${this.#received.toString("hex")}`);
    return this.#received.readUInt16BE(2);
  }

  /** Bytes that have arrived and were not taken off. */
  get received(): Buffer {
    return this.#received;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}
