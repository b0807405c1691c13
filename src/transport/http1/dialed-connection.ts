import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { ConnectionEnd } from "../connection-end.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";
import { Uploads, type UploadAnswer } from "./uploads.ts";
import { CONTENT_TYPE, RECEIVED } from "./wire.ts";

/** Makes requests to the other end, with connections of their own. */
export interface Requester {
  readonly agent: Agent;
  request(options: RequestOptions): ClientRequest;
}

/** The dialing end. Its download has been opened and its preamble read. */
export class DialedConnection implements Connection {
  readonly remote: string;
  readonly #path: string;
  readonly #download: IncomingMessage;
  readonly #requester: Requester;
  readonly #end = new ConnectionEnd(2); // a client's parser copies what the socket has read
  readonly #uploads: Uploads;
  #error: Error | undefined;
  #isLeaving = false;

  /** `path` is the one of this connection. */
  constructor(download: IncomingMessage, path: string, remote: string, requester: Requester) {
    this.remote = remote;
    this.#path = path;
    this.#download = download;
    this.#requester = requester;
    this.#uploads = new Uploads({
      upload: (chunks, size, offset) => this.#upload(chunks, size, offset),
      drained: () => this.#end.drained(),
      failed: (error) => this.#fail(error),
    });
    download.on("error", (error) => {
      this.#error ??= error; // 'close' follows and reports it
    });
    download.on("close", () => {
      this.#uploads.stop();
      requester.agent.destroy();
      const isClean = this.#isLeaving || download.readableEnded;
      this.#end.over(isClean ? undefined : (this.#error ?? new Error("the download was cut off")));
    });
  }

  open(handler: ConnectionHandler): void {
    this.#end.open(handler);
    this.#download.on("data", (chunk: Buffer) => this.#end.data(chunk));
    this.#download.resume();
  }

  send(bytes: Uint8Array): boolean {
    return this.#uploads.send(bytes);
  }

  close(): void {
    this.#isLeaving = true;
    this.#uploads.finish(() => this.#leave());
  }

  abort(): void {
    this.#isLeaving = true;
    this.#download.destroy();
  }

  /** F-30: the download ends by itself when the other end has heard of it. */
  #leave(): void {
    const request = this.#requester.request({ method: "DELETE", path: this.#path });
    request.on("error", () => this.#download.destroy());
    request.on("response", (response) => {
      response.resume();
      if (response.statusCode !== 204) this.#download.destroy();
    });
    request.end();
  }

  #upload(chunks: readonly Uint8Array[], size: number, offset: number): Promise<UploadAnswer> {
    return new Promise((resolve, reject) => {
      const request = this.#requester.request({
        method: "POST",
        path: `${this.#path}/${offset}`,
        headers: { "content-type": CONTENT_TYPE, "content-length": size },
      });
      request.on("error", reject);
      request.on("response", (response) => {
        response.on("error", () => undefined); // its head has said everything
        response.resume();
        const received = response.headers[RECEIVED];
        resolve({
          status: response.statusCode ?? 0,
          received: typeof received === "string" ? Number(received) : NaN,
        });
      });
      const last = chunks.length - 1;
      for (let index = 0; index < last; index++) request.write(chunks[index]!); // waits for the socket, and goes out with the rest
      request.end(chunks[last]);
    });
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#download.destroy();
  }
}
