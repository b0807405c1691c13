/** What `createHub` must be given. The gateways look at their own options. */
import {
  aFunction,
  checkArgument,
  checkOptions,
  list,
  object,
  orNull,
  orOneOf,
  text,
  type Check,
} from "../message/options.ts";
import { anObserver } from "../observe/combine.ts";
import { checkLimits } from "../peer/checks.ts";
import { aRegistry } from "../transport/registry.ts";

const HTTP = object("{ port: 8500 }");

const CONFIG: Readonly<Record<string, Check>> = {
  http: orOneOf([false, true], HTTP),
  listen: orNull((value) =>
    list(value) === undefined ? undefined : 'a list, such as ["tcp://127.0.0.1:4500"]',
  ),
  jobs: orOneOf([false, true], object("{ maxPolls: 100 }")),
  tls: object("{ cert, key }"),
  beam: object('{ path: "beam.sock" }'),
  grpc: object("{ port: 4510 }"),
  name: text,
  transports: orNull(aRegistry),
  observer: anObserver,
  onSession: aFunction,
  onService: aFunction,
  onPoll: aFunction,
  onError: aFunction,
};

const OF_HTTP: Readonly<Record<string, Check>> = { routes: list };

/** Throws `invalid_argument` for what is none of its kind. */
export function checkHubConfig(config: unknown): void {
  checkOptions("createHub", config, CONFIG);
  const { listen, beam, http } = config as Record<"listen" | "beam" | "http", unknown>;
  for (const at of (listen ?? []) as unknown[]) checkListenAt("createHub", at);
  if (beam !== undefined) checkOptions("createHub", { path: 0, ...(beam as object) }, { path: text });
  if (typeof http === "object") checkHttp("createHub", http);
  checkLimits("createHub", config);
}

/** One entry of `listen`, by itself. */
export function checkListenAt(call: string, at: unknown): void {
  const { url } = (typeof at === "string" ? { url: at } : (at ?? {})) as { readonly url?: unknown };
  const isRight = typeof url === "string";
  const wanted: Check = () => (isRight ? undefined : 'a URL such as "tcp://127.0.0.1:4500", or { url, tls }');
  checkArgument(call, "where to listen", at, wanted);
}

/** Options of an HTTP gateway. */
export function checkHttp(call: string, options: unknown): void {
  checkArgument(call, "the argument", options, HTTP);
  checkOptions(call, options, OF_HTTP);
}

const aServer: Check = (value) => {
  const { on, listeners } = (value ?? {}) as { readonly on?: unknown; readonly listeners?: unknown };
  return typeof on === "function" && typeof listeners === "function"
    ? undefined
    : "a server of node:http or node:https";
};

export function checkAttach(server: unknown, options: unknown): void {
  checkArgument("attach", "the server", server, aServer);
  checkHttp("attach", options);
}
