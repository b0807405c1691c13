/** From a raw path to what is to be done with it. */
import type { Engine } from "../../engine/engine.ts";
import type { Route } from "../../message/delivery.ts";
import { failure, type Failure } from "../../message/failure.ts";
import type { HttpApi } from "../http-api.ts";
import type { HttpSettings } from "./options.ts";
import { PathMemories } from "./path-memory.ts";
import { callerSubject, decodePath, isSafeSegment, isTokenText, subjectOfTokens } from "./path.ts";
import { ACCEPTED, compileRoute, type RouteSpec, type Treatment } from "./route-options.ts";
import { RouteTrie } from "./routes.ts";

/** Where a request goes. */
export interface Target extends Treatment {
  readonly route: Route;
  /** Path parameters as a query string; empty when there are none. */
  readonly params: string;
  /** The API whose path it is: it wants to know before a request is made. */
  readonly api: HttpApi | undefined;
  /** What the path begins with that is not the web app's; empty when the target is none. */
  readonly base: string;
}

/** What a path leads to. */
export interface Resolution {
  /** By method; the default mapping has none. A failure where a parameter cannot be part of a subject. */
  readonly byMethod: ReadonlyMap<string, Target | Failure>;
  /** For methods that are not listed. */
  readonly any: Target | Failure | undefined;
  /** True when a configured route matched that is no web app's, so that the gateway itself answers OPTIONS. */
  readonly routed: boolean;
  /** Value of an `Allow` header. */
  readonly allow: string;
}

/** Value of `Allow` where every method is taken. */
export const ALLOW_ANY = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const NO_METHODS: ReadonlyMap<string, Target | Failure> = new Map();
const ROOT_HELP =
  "the path / has no subject; for example, send a request to /orders/create to reach a worker of orders.create";

export class Router {
  readonly #engine: Engine;
  readonly #trie = new RouteTrie();
  readonly #defaultMapping: boolean;
  readonly #defaultTreatment: Treatment;
  readonly #apis: readonly HttpApi[];
  readonly #apisFirst: boolean;
  readonly #hasRoutes: boolean;
  readonly #paths: PathMemories<Resolution>;

  /** `apisFirst`: all of the APIs precede routes. Throws `invalid_argument` for routes that are wrong. */
  constructor(engine: Engine, settings: HttpSettings, apis: readonly HttpApi[], apisFirst: boolean) {
    this.#engine = engine;
    this.#paths = new PathMemories<Resolution>(engine);
    this.#apis = apis;
    this.#apisFirst = apisFirst;
    this.#hasRoutes = settings.routes.length > 0;
    this.#defaultMapping = settings.defaultMapping;
    this.#defaultTreatment = {
      mode: "request",
      wholeUpTo: settings.bodyLimit,
      bodyLimit: settings.bodyLimit,
      timeoutMs: settings.timeoutMs,
      reply: ACCEPTED,
      fallback: undefined,
    };
    settings.routes.forEach((route, index) => this.#trie.add(compileRoute(route, index, settings)));
  }

  /** What a raw path, without query, leads to in the tenant with this engine; a failure when it leads nowhere. */
  resolve(path: string, engine: Engine): Resolution | Failure {
    const paths = this.#paths.of(engine);
    const known = paths.get(path);
    if (known !== undefined) return known;
    const resolution = this.#find(path, engine);
    if ("byMethod" in resolution) paths.set(path, resolution);
    return resolution;
  }

  /** As `resolve`, for those whose tenant is not known: nothing is remembered of it. */
  peek(path: string): Resolution | Failure {
    return this.#find(path, this.#engine);
  }

  /** The API that answers the requests for a path; undefined when none claims it or a configured route precedes it. */
  apiAt(path: string): HttpApi | undefined {
    for (const api of this.#apis) if (api.claims(path)) return this.#isRouted(path, api) ? undefined : api;
    return undefined;
  }

  #isRouted(path: string, api: HttpApi): boolean {
    if (!this.#hasRoutes) return false;
    const segments = decodePath(path);
    return segments !== undefined && this.#precede(this.#trie.match(segments), api);
  }

  /** True when routes precede an API: all do, but where the API precedes them only those that name where they begin. */
  #precede(matches: readonly RouteSpec[], api: HttpApi): boolean {
    const isApiFirst = this.#apisFirst || api.precedesRoutes === true;
    return isApiFirst ? matches.some(beginsLiterally) : matches.length > 0;
  }

  #find(path: string, engine: Engine): Resolution | Failure {
    const segments = decodePath(path);
    if (segments === undefined) {
      return failure(
        "BAD_REQUEST",
        "the path has malformed percent-encoding, a control character, or a dot segment",
      );
    }
    const matches = this.#trie.match(segments);
    for (const api of this.#apis) {
      const named = this.#precede(matches, api) ? undefined : api.subjectOf?.(path);
      if (named !== undefined)
        return typeof named === "string" ? this.#named(engine.route(named), api) : named;
    }
    if (matches.length > 0) return this.#merge(matches, segments, path, engine);
    if (segments.length === 0) return notFound(ROOT_HELP);
    if (!this.#defaultMapping) return notFound("no route matches this path");
    const subject = subjectOfTokens(segments);
    if (subject === undefined) {
      return failure(
        "BAD_SUBJECT",
        "the path is not a legal subject: its segments must match [A-Za-z0-9_-]+, the first must not begin with _, " +
          "and there may be at most 255 characters",
      );
    }
    const any = this.#plain(engine.route(subject));
    return { byMethod: NO_METHODS, any, routed: false, allow: ALLOW_ANY };
  }

  /** A path by which an API names a subject: POST asks it. */
  #named(route: Route, api: HttpApi): Resolution {
    const byMethod = new Map([["POST", { ...this.#plain(route), api }]]);
    return { byMethod, any: undefined, routed: true, allow: "POST, OPTIONS" };
  }

  #plain(route: Route): Target {
    return { ...this.#defaultTreatment, route, params: "", base: "", api: undefined };
  }

  /** The most specific route that takes a method gets it; a route for any method takes all that is left. */
  #merge(
    matches: readonly RouteSpec[],
    segments: readonly string[],
    path: string,
    engine: Engine,
  ): Resolution {
    const byMethod = new Map<string, Target | Failure>();
    let any: Target | Failure | undefined;
    for (const spec of matches) {
      const target = this.#target(spec, segments, path, engine);
      if (spec.methods === undefined) {
        any = target;
        break;
      }
      for (const method of spec.methods) if (!byMethod.has(method)) byMethod.set(method, target);
    }
    const get = byMethod.get("GET");
    if (get !== undefined && any === undefined && !byMethod.has("HEAD")) byMethod.set("HEAD", get);
    const allow = any === undefined ? [...new Set([...byMethod.keys(), "OPTIONS"])].join(", ") : ALLOW_ANY;
    const isApp = any !== undefined && "mode" in any && any.mode === "app";
    return { byMethod, any, routed: !isApp, allow };
  }

  #target(spec: RouteSpec, segments: readonly string[], path: string, engine: Engine): Target | Failure {
    const values = parametersOf(spec, segments);
    for (const [name, value] of values) if (!value.every(isSafeSegment)) return unsafe(name);
    let subject = "";
    for (let index = 0; index < spec.subject.length; index++) {
      const part = spec.subject[index]!;
      if (index % 2 === 0) {
        subject += part;
        continue;
      }
      const value = values.get(part)!;
      if (!value.every(isTokenText)) {
        return failure("BAD_SUBJECT", `the path parameter ${part} must match [A-Za-z0-9_-]+ here`);
      }
      subject += value.join(".");
    }
    if (spec.subject.length > 1 && callerSubject(subject) === undefined) {
      return failure("BAD_SUBJECT", "the path parameters result in a subject that is too long or internal");
    }
    const { mode, wholeUpTo, bodyLimit, timeoutMs, reply, fallback } = spec;
    const base = mode === "app" ? basePath(path, spec.segments.length - 1) : "";
    const route = engine.route(subject);
    const params = queryOf(values, spec);
    return { mode, wholeUpTo, bodyLimit, timeoutMs, reply, fallback, route, params, base, api: undefined };
  }
}

/** Such a route is meant for the paths it names; a route for every path is not meant for those of an API. */
function beginsLiterally({ segments }: RouteSpec): boolean {
  return segments[0]?.kind === "literal";
}

function notFound(message: string): Failure {
  return { code: "not_found", reason: "NOT_FOUND", message, retryable: false };
}

function unsafe(name: string): Failure {
  const text = `the path parameter ${name} has a backslash, an encoded slash at its beginning, a control character, or a dot segment`;
  return failure("BAD_REQUEST", text);
}

function parametersOf(spec: RouteSpec, segments: readonly string[]): Map<string, readonly string[]> {
  const values = new Map<string, readonly string[]>();
  spec.segments.forEach((segment, index) => {
    if (segment.kind === "param") values.set(segment.name, [segments[index]!]);
    if (segment.kind === "rest" && segment.name !== "") values.set(segment.name, segments.slice(index));
  });
  return values;
}

/** So many segments of a path, as they were sent. */
function basePath(path: string, segments: number): string {
  let end = 0;
  for (let count = 0; count < segments; count++) {
    const next = path.indexOf("/", end + 1);
    end = next < 0 ? path.length : next;
  }
  return path.slice(0, end);
}

/**
 * Parameters as a query string. Of the segments of a rest an encoded slash stays encoded, so that it is not taken for one that
 * separates them.
 */
function queryOf(values: ReadonlyMap<string, readonly string[]>, { segments }: RouteSpec): string {
  const last = segments.at(-1);
  let query = "";
  for (const [name, value] of values) {
    const isRest = last?.kind === "rest" && last.name === name;
    const parts = isRest ? value.map((segment) => segment.replaceAll("/", "%2F")) : value;
    query += `${query === "" ? "" : "&"}${name}=${parts.map(encodeURIComponent).join("/")}`;
  }
  return query;
}
