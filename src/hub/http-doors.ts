/** The HTTP doors of a hub, with what a hub has and the HTTP gateway does not know: limits, and native sessions. */
import type { Engine } from "../engine/engine.ts";
import type { Listening } from "../gateway/gateway.ts";
import type { HttpOptions } from "../gateway/http/options.ts";
import type { SessionDoor } from "../gateway/http/sessions.ts";
import type { NativeGateway } from "../gateway/native/native-gateway.ts";
import { LintelError } from "../message/failure.ts";
import type { Limits } from "../message/limits.ts";
import { SESSION_PATH } from "../transport/session-protocol.ts";
import { createSessionDoor } from "./session-door.ts";

export class HttpDoors {
  readonly #engine: Engine;
  readonly #native: NativeGateway;
  readonly #limits: Limits;
  #port: Listening | undefined;
  #sessionUrl: string | undefined;

  constructor(engine: Engine, native: NativeGateway, limits: Limits) {
    this.#engine = engine;
    this.#native = native;
    this.#limits = limits;
  }

  /** Where requests go. */
  get url(): string | undefined {
    return this.#port?.url;
  }

  /** Where sessions go that come to the same port. */
  get sessionUrl(): string | undefined {
    return this.#sessionUrl;
  }

  /** Opens the port. */
  async open(options: HttpOptions): Promise<string> {
    if (this.#port !== undefined) throw new LintelError("already_exists", "the HTTP door is open already");
    const { openHttp } = await import("../gateway/http/server.ts");
    const sessions = this.#sessionsOf(options, "", true);
    const fittings = sessions === undefined ? {} : { sessions };
    this.#port = await openHttp(this.#engine, { ...this.#defaults(), ...options }, fittings);
    const { url } = this.#port;
    if (sessions !== undefined) this.#sessionUrl = url.replace(/^http/, "ws") + SESSION_PATH;
    return url;
  }

  async drain(): Promise<void> {
    await this.#port?.drain();
  }

  async close(): Promise<void> {
    await this.#port?.close();
  }

  #defaults(): HttpOptions {
    const { payload, headers, timeout } = this.#limits;
    return { bodyLimit: payload, headerLimit: headers, timeoutMs: timeout };
  }

  #sessionsOf(
    { sessions = true, origins }: HttpOptions,
    base: string,
    atRoot: boolean,
  ): SessionDoor | undefined {
    if (!sessions) {
      if (origins === undefined) return undefined;
      throw new LintelError(
        "invalid_argument",
        "origins are for sessions, which `sessions: false` turns off",
      );
    }
    return createSessionDoor({
      base,
      atRoot,
      origins,
      maxConnections: this.#limits.sessions,
      accept: (connection) => this.#native.accept(connection),
    });
  }
}
