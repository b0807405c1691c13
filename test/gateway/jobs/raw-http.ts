import { connect, type Socket } from "node:net";

/** A connection that makes one call after the other, as cheaply as it can be done. Bodies are ASCII. */
export class RawHttp {
  readonly #socket: Socket;
  #received = "";
  #resolve: ((body: string) => void) | undefined;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.setNoDelay(true);
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text: string) => {
      this.#received += text;
      this.#look();
    });
    this.#socket.on("error", () => undefined);
  }

  /** Resolves with the body of the answer; empty for 204. */
  call(method: string, target: string, body = ""): Promise<string> {
    const head = `${method} ${target} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n`;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`, "latin1");
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #look(): void {
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const body = this.#received.slice(end + 4, end + 4 + length);
    this.#received = this.#received.slice(end + 4 + length);
    this.#resolve?.(body);
  }
}
