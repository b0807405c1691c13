/** What the calls of a hub that are about HTTP must be given. */
import {
  checkArgument,
  checkOptions,
  list,
  object,
  orAddress,
  orOneOf,
  type Check,
} from "../../message/options.ts";

const HTTP = object('{ listen: "127.0.0.1:8500" }');

const IN_CONFIG: Readonly<Record<string, Check>> = { http: orOneOf([false, true], orAddress(HTTP)) };
const OF_HTTP: Readonly<Record<string, Check>> = { routes: list };

/** Throws `invalid_argument` for an `http` of `createHub` that is none. */
export function checkInConfig(http: unknown): void {
  checkOptions("createHub", { http }, IN_CONFIG);
  if (typeof http === "object") checkHttp("createHub", http);
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
