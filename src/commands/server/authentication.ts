import { LintelError } from "../../message/failure.ts";
import { KABOOM, PING, UPGRADE } from "../built-in.ts";
import type { CommandConnection } from "../connection.ts";
import { CommandError } from "../error.ts";
import type { CommandHandlers } from "../handlers.ts";
import type { CommandMessage, CommandPeer } from "../peer.ts";

/**
 * Decides about a token. What it returns, or resolves to, answers `auth.upgrade`; undefined answers `true`. False, or what it throws,
 * refuses the token: throw a `CommandError` to say why. It may keep what it knows in the connection's `cache`.
 */
export type Authenticate = (token: string, connection: CommandPeer) => unknown;

/** What everybody may call. */
const OPEN_ACTIONS: ReadonlySet<string> = new Set([PING, KABOOM, UPGRADE]);
const REFUSED_CLOSE = 1008;

const AUTHENTICATION_REQUIRED = new CommandError("Authentication required", { code: "unauthenticated" });

/** Lets nobody call anything who has not shown a token that is good. */
export class Authentication {
  readonly #authenticate: Authenticate;
  readonly #known = new WeakSet<CommandPeer>();
  /** Tokens of URLs that are being looked at. */
  readonly #asked = new WeakMap<CommandPeer, Promise<void>>();

  constructor(authenticate: Authenticate, handlers: CommandHandlers) {
    this.#authenticate = authenticate;
    handlers.on(UPGRADE, ({ body, connection }) => this.#upgrade(body, connection));
    handlers.before((message) => this.#check(message));
  }

  isKnown(connection: CommandPeer): boolean {
    return this.#known.has(connection);
  }

  /** Looks at the token in the URL of a connection, if there is one. Commands wait for it; a bad one ends the connection. */
  begin(connection: CommandConnection): void {
    const token = connection.query.get("token");
    if (token === null) return;
    const asked = this.#upgrade(token, connection)
      .then(() => undefined)
      .catch((error: unknown) => {
        const reason = error instanceof LintelError ? error.message : "the token could not be checked";
        connection.close({ code: REFUSED_CLOSE, reason });
      });
    this.#asked.set(connection, asked);
  }

  async #upgrade(token: unknown, connection: CommandPeer): Promise<unknown> {
    if (typeof token !== "string") throw new CommandError("Token must be a string");
    const said = await this.#authenticate(token, connection);
    if (said === false) throw LintelError.of("UNAUTHENTICATED", "Token is not valid");
    this.#known.add(connection);
    return said ?? true;
  }

  #check({ action, connection }: CommandMessage): Promise<void> | undefined {
    if (this.#known.has(connection) || OPEN_ACTIONS.has(action)) return undefined;
    const asked = this.#asked.get(connection);
    if (asked === undefined) throw AUTHENTICATION_REQUIRED;
    return asked.then(() => {
      if (!this.#known.has(connection)) throw AUTHENTICATION_REQUIRED;
    });
  }
}
