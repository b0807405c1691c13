/** Kinds of gateways that a configuration names: modules of the user's. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { GatewayKind } from "../gateway/gateway.ts";
import { isGatewayKind } from "../gateway/kind.ts";

/** The kind that a module exports. Rejects with what is wrong with it. */
export async function loadKind(path: string): Promise<GatewayKind> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as typeof module;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`cannot load ${path}: ${why}`, { cause });
  }
  if (isGatewayKind(module.default)) return module.default;
  throw new TypeError(`the default export of ${path} is no kind of gateway { name, open }`);
}
