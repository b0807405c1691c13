import type { GatewayKind } from "./gateway.ts";

const KIND_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** True for a kind of gateway, as far as that can be seen. */
export function isGatewayKind(value: unknown): value is GatewayKind {
  const { name, open } = (value ?? {}) as Partial<Record<keyof GatewayKind, unknown>>;
  return typeof name === "string" && KIND_NAME.test(name) && typeof open === "function";
}
