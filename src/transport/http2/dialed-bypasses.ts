import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { Bypass, Bypasses } from "../transport.ts";
import { Http2Bypass, cutOff, BYPASS_HEADER, BYPASS_TYPE, MAX_BYPASSES } from "./bypass.ts";

/** The status that says that the stream of a bypass is over (G-12), which may happen. Any other is a refusal for good. */
const GONE = 410;

/** Bypasses where the connection was dialed: each is a request on the connection that carries the session. */
export class DialedBypasses implements Bypasses {
  readonly limit: number = MAX_BYPASSES;
  readonly #session: ClientHttp2Session;
  readonly #host: string;
  readonly #path: string;
  readonly #streams = new Set<ClientHttp2Stream>();
  /** G-11: it comes in a PING, which no proxy hands on: without it there is something between the two ends. */
  #token: string | undefined;
  #isClosed = false;

  constructor(session: ClientHttp2Session, host: string, path: string) {
    this.#session = session;
    this.#host = host;
    this.#path = path;
    session.on("ping", (payload: Buffer) => {
      this.#token ??= payload.toString("base64url");
    });
  }

  request(number: number, sends: boolean, opened: (bypass: Bypass | undefined) => void): void {
    const stream = this.#open(number, sends);
    if (stream === undefined) return opened(undefined);
    let isTold = false;
    const tell = (bypass: Bypass | undefined): void => {
      if (isTold) return;
      isTold = true;
      opened(bypass);
    };
    this.#streams.add(stream);
    stream.on("error", () => undefined); // 'close' follows
    stream.on("response", ({ ":status": status }) => {
      if (status === 200) return tell(new Http2Bypass(stream, sends));
      this.#isClosed ||= status !== GONE;
      tell(undefined);
      return cutOff(stream);
    });
    stream.on("close", () => {
      this.#streams.delete(stream);
      this.#isClosed ||= !isTold;
      tell(undefined);
    });
  }

  accept(): void {
    // the other end cannot open streams
  }

  /** The connection is over, and all bypasses with it. */
  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams) cutOff(stream);
  }

  #open(number: number, sends: boolean): ClientHttp2Stream | undefined {
    const session = this.#session;
    const token = this.#token;
    if (token === undefined || this.#isClosed || session.closed || session.destroyed) return undefined;
    if (this.#streams.size >= MAX_BYPASSES) return undefined;
    return session.request(
      {
        ":method": "POST",
        ":authority": this.#host,
        ":path": this.#path,
        "content-type": BYPASS_TYPE,
        [BYPASS_HEADER]: `${token}/${sends ? "up" : "down"}/${number}`,
      },
      { endStream: false },
    );
  }
}
