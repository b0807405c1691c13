/** Between a client and a hub that speak HTTP/2: counts what goes through. */
import { once } from "node:events";
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from "node:net";

const DATA = 0;
const HEADERS = 1;

/** What went through one way: HTTP/2 frames, counted by stream. */
class Counted {
  readonly bytes = new Map<number, number>();
  readonly opened: number[] = [];
  #rest: Buffer = Buffer.alloc(0);

  /** `skip` is the length of the client's preface. */
  constructor(skip: number) {
    this.#skip = skip;
  }
  #skip: number;

  read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.#skip > 0 && this.#rest.length >= this.#skip) {
      this.#rest = this.#rest.subarray(this.#skip);
      this.#skip = 0;
    }
    while (this.#skip === 0 && this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) return;
      const type = this.#rest.readUInt8(3);
      const stream = this.#rest.readUInt32BE(5);
      if (type === DATA) this.bytes.set(stream, (this.bytes.get(stream) ?? 0) + length);
      if (type === HEADERS) this.opened.push(stream);
      this.#rest = this.#rest.subarray(9 + length);
    }
  }

  /** Bytes on the session's stream, and on all others. */
  get split(): [session: number, bypasses: number] {
    const session = this.bytes.get(1) ?? 0;
    return [session, [...this.bytes.values()].reduce((sum, count) => sum + count, 0) - session];
  }
}

/** A relay of TCP in front of the hub, which can be cut. */
export class Relay {
  up = new Counted(24);
  down = new Counted(0);
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(target: number) {
    this.#server = createServer((client) => {
      this.up = new Counted(24);
      this.down = new Counted(0);
      const hubSide = connectTcp(target, "127.0.0.1");
      for (const [from, to, way] of [
        [client, hubSide, this.up],
        [hubSide, client, this.down],
      ] as const) {
        this.#sockets.add(from);
        from.on("data", (chunk: Buffer) => way.read(chunk));
        from.on("error", () => undefined);
        from.on("close", () => to.destroy());
        from.pipe(to);
      }
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `h2c://127.0.0.1:${(this.#server.address() as AddressInfo).port}/lintel`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}
