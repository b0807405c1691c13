/** What `createHub` must be given. Each gateway looks at its own options. */
import type { GatewayEntry } from "../gateway/gateway.ts";
import { isGatewayKind } from "../gateway/kind.ts";
import { checkBuiltInOptions } from "../gateway/registry.ts";
import { LintelError } from "../message/failure.ts";
import { limitsOf } from "../message/limit-options.ts";
import { aFunction, checkOptions, list, object, text, type Check } from "../message/options.ts";
import { anEngine } from "./hub-engine.ts";
import { anObserver } from "../observe/combine.ts";
import { checkLimits } from "../peer/checks.ts";

/** What is in it is looked at by whoever makes an access of it. */
const anAccess: Check = (value) => {
  const { authenticate, may } = (value ?? {}) as { readonly authenticate?: unknown; readonly may?: unknown };
  const isOwn = authenticate === undefined && may === undefined;
  if (isOwn) return object("{ keys: [...] }")(value);
  return typeof authenticate === "function" && typeof may === "function"
    ? undefined
    : "an object with the functions `authenticate` and `may`";
};

const trueOrFalse: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");

const CONFIG: Readonly<Record<string, Check>> = {
  engine: anEngine,
  tls: object("{ cert, key }"),
  gateways: list,
  access: anAccess,
  insecure: trueOrFalse,
  accessLog: text,
  name: text,
  observer: anObserver,
  onSession: aFunction,
  onService: aFunction,
  onPoll: aFunction,
  onError: aFunction,
};

/** Throws `invalid_argument` for what is none of its kind. */
export function checkHubConfig(config: unknown): void {
  checkOptions("createHub", config, CONFIG);
  checkBuiltInOptions(config);
  const { limits } = (config ?? {}) as { readonly limits?: unknown };
  const isMap = typeof limits === "object" && limits !== null;
  checkLimits("createHub", { limits: isMap ? limitsOf(limits) : limits });
}

/** A gateway of the user's, with its options if it has any. Throws `invalid_argument` when it is none. */
export function entryOf(given: unknown): GatewayEntry {
  const entry = (
    isGatewayKind((given as Partial<GatewayEntry> | null)?.kind) ? given : { kind: given }
  ) as GatewayEntry;
  if (isGatewayKind(entry.kind)) return entry;
  const wanted =
    "createHub: gateways has an entry that must be a kind of gateway { name, open }, or { kind, options }";
  throw new LintelError("invalid_argument", wanted);
}

/** Asks each kind whether its options are right. Throws `invalid_argument` when one is not, or two have one name. */
export function checkEntries(entries: readonly GatewayEntry[]): void {
  const names = new Set<string>();
  for (const { kind, options = {} } of entries) {
    if (names.has(kind.name))
      throw new LintelError("invalid_argument", `createHub: there are two gateways named "${kind.name}"`);
    names.add(kind.name);
    kind.check?.(options);
  }
}
