/** What kind of web app a value is. Frameworks are known by what they offer: none of them is imported. */
import { Server, type RequestListener } from "node:http";
import { LintelError } from "../message/failure.ts";
import type { FetchHandler } from "./fetch-app.ts";
import type { Listener } from "./listener-app.ts";

/** A web app in one of two forms, and what people call it. */
export type RecognisedApp =
  | { readonly kind: string; readonly listener: Listener }
  | { readonly kind: string; readonly fetch: FetchHandler };

/**
 * A listener of `node:http` (an Express app is one), a server that does not listen, an app of Fastify, Koa or Nest, an
 * object with `fetch` (a Hono app is one), or a function from `Request` to `Response`; or a promise of one, or a function
 * without parameters that makes one.
 */
export type HttpApp =
  | RequestListener
  | FetchHandler
  | { fetch(request: Request, ...more: never[]): Response | Promise<Response> }
  | (() => unknown)
  | object;

/** Factories that make factories come to an end. */
const MAX_STEPS = 4;

/**
 * Finds out what the value is, and makes it ready. Rejects with `invalid_argument` when it is no web app, saying what it is
 * instead, and with whatever its own start throws.
 */
export async function recogniseApp(value: unknown): Promise<RecognisedApp> {
  let app: unknown = await value;
  for (let step = 0; step < MAX_STEPS; step++) {
    const found = await find(app);
    if (typeof found === "object") return found;
    if (!isFactory(app)) throw wrong(found);
    app = await app();
    if (app === undefined) throw wrong("a function without parameters that returned nothing");
  }
  throw wrong("a function that returns a function, and so on");
}

/** The app; text that says what it is when it is none. */
async function find(app: unknown): Promise<RecognisedApp | string> {
  if (app === undefined || app === null) return "nothing";
  if (typeof app !== "object" && typeof app !== "function") return `a ${typeof app}`;
  if (app instanceof Server || isServer(app)) return serverApp(app);
  if (has(app, "ready") && has(app, "inject") && has(app, "routing")) {
    await app.ready();
    return { kind: "Fastify app", listener: bound(app, "routing") as Listener };
  }
  if (has(app, "getHttpAdapter") && has(app, "init")) {
    await app.init();
    const adapter = app.getHttpAdapter() as { getInstance(): unknown };
    return find(adapter.getInstance());
  }
  if (has(app, "callback") && "middleware" in app && Array.isArray(app.middleware))
    return { kind: "Koa app", listener: app.callback() as Listener };
  if (has(app, "fetch")) {
    const isHono = "router" in app && has(app, "route");
    return { kind: isHono ? "Hono app" : "object with fetch", fetch: bound(app, "fetch") as FetchHandler };
  }
  if (typeof app !== "function") return `an object with ${namesOf(app)}`;
  if (has(app, "handle") && "stack" in app) return { kind: "Connect app", listener: app as Listener };
  if (has(app, "handle")) return { kind: "Express app", listener: app as Listener };
  if (app.length >= 2) return { kind: "request listener", listener: app as Listener };
  if (app.length === 1) return { kind: "fetch handler", fetch: app as FetchHandler };
  return "a function without parameters";
}

function serverApp(server: Server): RecognisedApp {
  if (server.listening)
    throw new LintelError(
      "failed_precondition",
      "the server listens on a port already; export it without calling listen()",
    );
  if (server.listenerCount("request") === 0) throw wrong("a server without a listener for requests");
  return { kind: "http.Server", listener: (request, response) => server.emit("request", request, response) };
}

/** A server of `node:https`, too, and of another realm. */
function isServer(value: object): value is Server {
  return has(value, "listen") && has(value, "emit") && has(value, "listenerCount") && "listening" in value;
}

function isFactory(value: unknown): value is () => unknown {
  return typeof value === "function" && value.length === 0;
}

function has<Name extends string>(
  value: object,
  name: Name,
): value is object & Record<Name, (...given: unknown[]) => unknown> {
  return name in value && typeof (value as Record<string, unknown>)[name] === "function";
}

function bound(app: object, name: string): unknown {
  return (app as Record<string, (...given: unknown[]) => unknown>)[name]!.bind(app);
}

function namesOf(app: object): string {
  const names = Object.keys(app).slice(0, 5);
  return names.length === 0 ? "nothing in it" : names.join(", ");
}

function wrong(what: string): LintelError {
  return new LintelError(
    "invalid_argument",
    `it is ${what}, not a web app; a web app is an Express, Fastify, Koa, Nest or Hono app, a server of node:http ` +
      "that does not listen, a function (request, response), an object with fetch, or a function (request) that returns a Response",
  );
}
