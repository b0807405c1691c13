import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { refuse, refuseWith, type Refusal } from "../problem.ts";
import type { Bypass, Bypasses } from "../transport.ts";
import { Http2Bypass, cutOff, BYPASS_HEADER, BYPASS_TYPE, MAX_BYPASSES } from "./bypass.ts";

/** What fits a PING. */
const TOKEN_SIZE = 8;
const NAME = /^([A-Za-z0-9_-]{11})\/(up|down)\/([1-9][0-9]{0,9})$/;

type OnBypass = (number: number, sends: boolean, bypass: Bypass) => boolean;

/** Bypasses where the connection was accepted. */
class AcceptedBypasses implements Bypasses {
  readonly limit: number = MAX_BYPASSES;
  readonly session: ServerHttp2Session;
  readonly #streams = new Set<ServerHttp2Stream>();
  #onBypass: OnBypass = () => false;

  constructor(session: ServerHttp2Session) {
    this.session = session;
  }

  request(_number: number, _sends: boolean, opened: (bypass: Bypass | undefined) => void): void {
    opened(undefined);
  }

  accept(onBypass: OnBypass): void {
    this.#onBypass = onBypass;
  }

  /** Why the stream becomes no bypass; undefined when it has become one. */
  take(stream: ServerHttp2Stream, sends: boolean, number: number): Refusal | undefined {
    if (this.#streams.size >= MAX_BYPASSES)
      return refuse("TOO_MANY", `a session may have at most ${MAX_BYPASSES} bypasses`);
    this.#streams.add(stream);
    stream.on("close", () => this.#streams.delete(stream));
    const bypass = new Http2Bypass(stream, sends, () =>
      stream.respond({ ":status": 200, "content-type": BYPASS_TYPE, "cache-control": "no-store" }),
    );
    if (this.#onBypass(number, sends, bypass)) return undefined;
    return refuseWith("not_found", "the stream is over", { status: 410 });
  }

  close(): void {
    this.#onBypass = () => false;
    for (const stream of this.#streams) cutOff(stream);
  }
}

/** All sessions of an acceptor that may have bypasses, by their tokens. */
export class BypassTable {
  readonly #sessions = new Map<string, AcceptedBypasses>();

  /** Bypasses for a session that begins. Only the other end of its connection gets the token, so no client behind a proxy does. */
  begin(session: ServerHttp2Session): { readonly bypasses: Bypasses; readonly close: () => void } {
    const token = randomBytes(TOKEN_SIZE);
    const name = token.toString("base64url");
    const bypasses = new AcceptedBypasses(session);
    if (!session.destroyed && session.ping(token, () => undefined)) this.#sessions.set(name, bypasses);
    const close = (): void => {
      this.#sessions.delete(name);
      bypasses.close();
    };
    return { bypasses, close };
  }

  /** Answers a stream that asks to be a bypass, with 200 or the refusal returned. */
  take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Refusal | undefined {
    if (headers[":method"] !== "POST")
      return refuse("METHOD_NOT_ALLOWED", "a bypass is opened with POST", { headers: { allow: "POST" } });
    const [, token, way, number] = NAME.exec(String(headers[BYPASS_HEADER])) ?? [];
    const bypasses = token === undefined ? undefined : this.#sessions.get(token);
    if (bypasses === undefined || bypasses.session !== stream.session)
      return refuseWith("not_found", "there is no such session");
    return bypasses.take(stream, way === "down", Number(number));
  }
}
