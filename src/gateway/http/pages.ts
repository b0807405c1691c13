/** Requests of web pages: which are allowed, and what pages of other origins are told (Fetch, section 3.3: CORS). */
import type { Failure } from "../../message/failure.ts";
import { FOREIGN_ORIGIN, type AccessRule, type Standing } from "../../transport/origins.ts";
import { headerOf } from "../raw-headers.ts";
import { OWN_PATHS } from "./answers-endpoint.ts";
import type { Exchange, Incoming, ConnectionDriver } from "./connection.ts";
import type { HeadReader } from "./decode.ts";
import type { Responder } from "./responder.ts";
import type { Resolution, Router } from "./router.ts";

/** A browser asks again after this long. Seconds; Chromium keeps no answer for longer. */
const MAX_AGE = "7200";

export class Pages {
  readonly #access: AccessRule;
  readonly #responder: Responder;
  readonly #router: Router;

  constructor(access: AccessRule, responder: Responder, router: Router) {
    this.#access = access;
    this.#responder = responder;
    this.#router = router;
  }

  /** True when a page has sent a request that it may not send here. */
  isForeign(head: HeadReader, line: ConnectionDriver): boolean {
    if (this.#standing(head, line) !== "foreign") return false;
    this.told(FOREIGN_ORIGIN, line, head.path);
    return true;
  }

  /** Refuses a request whose head is wrong. */
  refuse(exchange: Exchange, why: Failure): void {
    this.#responder.refuse(exchange, this.told(why, exchange.connection.driver, exchange.path));
  }

  /** Passes on what is wrong with a request, and tells of it if it is its page or its name. */
  told(why: Failure, { remote }: ConnectionDriver, path: string): Failure {
    return this.#access.told(why, remote, () => this.#responder.logPath(path));
  }

  /**
   * Looks at a request before anything is done for it. A failure when it comes from a foreign page. A page that is listed may
   * read the answer; what its browser asks beforehand is answered here.
   */
  look(exchange: Exchange, head: HeadReader): Failure | undefined {
    const standing = this.#standing(head, exchange.connection.driver);
    if (standing === "own") return undefined;
    const { request, connection } = exchange;
    if (standing === "foreign") {
      const found = this.#resolutionOf(exchange.path);
      if (found !== undefined && isLink(request, found)) return undefined;
      return this.told(FOREIGN_ORIGIN, connection.driver, exchange.path);
    }
    exchange.page = head.origin;
    if (exchange.page !== undefined && isPreflight(request))
      this.#responder.empty(exchange, 204, preflightHeaders(request));
    return undefined;
  }

  #standing({ origin, site, referer, host }: HeadReader, { isSecure }: ConnectionDriver): Standing {
    return this.#access.standingOf({ origin, site, referer, host, isSecure });
  }

  /** What a path leads to; undefined where the hub itself is there. */
  #resolutionOf(path: string): Resolution | undefined {
    if (path.startsWith(OWN_PATHS) || path === "*") return undefined;
    if (this.#router.apiAt(path) !== undefined) return undefined;
    const found = this.#router.peek(path); // before its tenant is known
    return "byMethod" in found ? found : undefined;
  }
}

/** True for the question that a browser asks before it sends what a form could not. */
function isPreflight({ method, rawHeaders }: Incoming): boolean {
  return method === "OPTIONS" && headerOf(rawHeaders, "access-control-request-method") !== undefined;
}

/** Yes to whatever is asked. */
function preflightHeaders({ rawHeaders }: Incoming): string[] {
  const asked = (name: string): string | undefined => headerOf(rawHeaders, `access-control-request-${name}`);
  const headers = ["Access-Control-Allow-Methods", asked("method")!, "Access-Control-Max-Age", MAX_AGE];
  const fields = asked("headers");
  if (fields !== undefined) headers.push("Access-Control-Allow-Headers", fields);
  if (asked("private-network") === "true") headers.push("Access-Control-Allow-Private-Network", "true");
  headers.push("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
  return headers;
}

/**
 * True for a link to a web app on a foreign page that a user has followed: the browser then shows the app instead of the
 * page. Browsers do not say where they come from to names without TLS; there the app itself decides, as on a port of its own.
 */
function isLink({ method, rawHeaders }: Incoming, { byMethod, any }: Resolution): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const target = byMethod.get(method) ?? any;
  if (target === undefined || !("mode" in target) || target.mode !== "app") return false;
  if (headerOf(rawHeaders, "origin") !== undefined) return false;
  if (headerOf(rawHeaders, "sec-fetch-site") === undefined) return true;
  const isShown = headerOf(rawHeaders, "sec-fetch-dest") === "document";
  return isShown && headerOf(rawHeaders, "sec-fetch-mode") === "navigate";
}
