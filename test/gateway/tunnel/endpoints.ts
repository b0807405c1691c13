/** Servers and clients for tunnels: sockets that note what happens to them. */
import { once } from "node:events";
import {
  connect,
  createServer,
  type AddressInfo,
  type ListenOptions,
  type Server,
  type Socket,
} from "node:net";
import { Watched } from "../../wire/watched.ts";

/** A socket with all that arrived on it. */
export class Ended extends Watched {
  readonly socket: Socket;
  text = "";
  received = 0;
  /** The other end sends nothing more. */
  hasEnded = false;
  isClosed = false;
  error: NodeJS.ErrnoException | undefined;

  constructor(socket: Socket, keepText = true) {
    super();
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.received += chunk.length;
      if (keepText) this.text += chunk.toString("latin1");
      this.changed();
    });
    socket.on("end", () => {
      this.hasEnded = true;
      this.changed();
    });
    socket.on("error", (error) => {
      this.error = error;
    });
    socket.on("close", () => {
      this.isClosed = true;
      this.changed();
    });
  }

  /** Waits until all of it has arrived. */
  async says(text: string): Promise<void> {
    await this.until(() => this.text.endsWith(text) || this.isClosed);
    if (!this.text.endsWith(text)) throw new Error(`closed (${this.error?.code}) after "${this.text}"`);
  }

  closed(): Promise<void> {
    return this.until(() => this.isClosed);
  }
}

/** Connects to a port of the loopback, keeping half-open connections. One that is refused is closed. */
export async function dial(port: number, keepText = true): Promise<Ended> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  const end = new Ended(socket, keepText);
  socket.on("connect", () => end.changed());
  await end.until(() => !socket.connecting || end.isClosed);
  return end;
}

/** A target whose connections are handled by `handle`. */
export class TestTarget extends Watched implements AsyncDisposable {
  readonly connections: Ended[] = [];
  readonly #server: Server;

  constructor(handle: (socket: Socket) => void, keepText = true) {
    super();
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.connections.push(new Ended(socket, keepText));
      handle(socket);
      this.changed();
    });
  }

  async start(): Promise<{ host: string; port: number }> {
    await this.listen({ host: "127.0.0.1", port: 0 });
    return { host: "127.0.0.1", port: (this.#server.address() as AddressInfo).port };
  }

  async listen(at: ListenOptions): Promise<void> {
    this.#server.listen(at);
    await once(this.#server, "listening");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Sends lines back as they come; at the end of its input it says how many bytes there were, and ends too. */
export function echoLines(socket: Socket): void {
  let received = 0;
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    socket.write(chunk);
  });
  socket.on("end", () => socket.end(`${received} bytes\n`));
}
