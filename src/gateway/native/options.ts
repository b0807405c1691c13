/** Where a hub takes native sessions. */
import { checkArgument, checkOptions, list, orNull, type Check } from "../../message/options.ts";
import { DEFAULT_URL } from "../../transport/default-url.ts";
import type { TransportRegistry } from "../../transport/registry.ts";
import type { ListenAt } from "../../transport/transport.ts";

export interface NativeOptions {
  /** URLs, with options where they need any. Default: `tcp://127.0.0.1:4500`. */
  readonly listen?: readonly (string | ListenAt)[] | undefined;
  /** Transports besides, or instead of, the built-in ones. */
  readonly transports?: TransportRegistry | undefined;
}

export const DEFAULT_LISTEN: NonNullable<NativeOptions["listen"]> = [DEFAULT_URL];

const LISTEN: Readonly<Record<string, Check>> = {
  listen: orNull((value) =>
    list(value) === undefined ? undefined : 'a list, such as ["tcp://127.0.0.1:4500"]',
  ),
};

/** Throws `invalid_argument` for a `listen` of `createHub` that is none. */
export function checkListen(options: unknown): void {
  checkOptions("createHub", options, LISTEN);
  const { listen } = (options ?? {}) as { readonly listen?: unknown };
  for (const at of (listen ?? []) as unknown[]) checkListenAt("createHub", at);
}

/** One entry of `listen`, by itself. */
export function checkListenAt(call: string, at: unknown): void {
  const { url } = (typeof at === "string" ? { url: at } : (at ?? {})) as { readonly url?: unknown };
  const isRight = typeof url === "string";
  const wanted: Check = () => (isRight ? undefined : 'a URL such as "tcp://127.0.0.1:4500", or { url, tls }');
  checkArgument(call, "where to listen", at, wanted);
}
