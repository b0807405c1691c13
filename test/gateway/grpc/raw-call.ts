/** A client with nothing between the test and HTTP/2: for what no gRPC library would send. */
import { once } from "node:events";
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  FromHubSchema,
  FromWorkerSchema,
  type FromHub,
} from "../../../src/gateway/grpc/generated/lintel/v1/worker_pb.ts";

export const WORK = "/lintel.v1.Worker/Work";

/** A message as it is sent, with its prefix. */
export function framed(message: Uint8Array, flags = 0, length: number = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** What a worker says, as it is sent. */
export function said(message: NonNullable<MessageInitShape<typeof FromWorkerSchema>["message"]>): Buffer {
  return framed(toBinary(FromWorkerSchema, create(FromWorkerSchema, { message })));
}

export class RawCall implements AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  readonly heard: FromHub[] = [];
  /** Called with each message as it comes. */
  onMessage: (message: FromHub) => void = () => undefined;
  /** The same as bytes; of other methods than `WORK` that is all there is. */
  readonly messages: Uint8Array[] = [];
  readonly #isWork: boolean;
  /** Head and trailers together. */
  readonly headers: IncomingHttpHeaders = {};
  #bytes = Buffer.alloc(0);

  /** `tls` for URLs that begin with `grpcs:`. */
  constructor(url: string, headers: OutgoingHttpHeaders = {}, tls?: SecureClientSessionOptions) {
    this.#isWork = headers[":path"] === undefined;
    const scheme = url.startsWith("grpcs:") ? "https" : "http";
    this.session = connect(`${scheme}://${new URL(url).host}`, tls);
    this.session.on("error", () => undefined);
    this.stream = this.session.request({
      ":method": "POST",
      ":path": WORK,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const note = (more: IncomingHttpHeaders): void => void Object.assign(this.headers, more);
    this.stream.on("error", () => undefined);
    this.stream.on("response", note).on("trailers", note);
  }

  /** Reads what comes. */
  listen(): this {
    this.stream.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      while (this.#bytes.length >= 5 && this.#bytes.length >= 5 + this.#bytes.readUInt32BE(1)) {
        const end = 5 + this.#bytes.readUInt32BE(1);
        const message = this.#bytes.subarray(5, end);
        this.messages.push(message);
        if (this.#isWork) this.#hear(fromBinary(FromHubSchema, message));
        this.#bytes = this.#bytes.subarray(end);
      }
    });
    return this;
  }

  #hear(message: FromHub): void {
    this.heard.push(message);
    this.onMessage(message);
  }

  /** Resolves with number and reason of the status that ends it. */
  async ended(): Promise<string> {
    this.stream.resume();
    if (!this.stream.closed) await once(this.stream, "close");
    await new Promise((resolve) => setImmediate(resolve)); // a session destroyed from within 'close' brings Node down
    return `${String(this.headers["grpc-status"])} ${String(this.headers["lintel-reason"])}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
    return Promise.resolve();
  }
}
