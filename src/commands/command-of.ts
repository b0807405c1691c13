import { undecodable } from "../codec/refusal.ts";
import type { Command } from "./command.ts";

/** The command that a decoded value is; fields that are null count as absent. Throws `BAD_PAYLOAD` for what is none. */
export function commandOf(value: unknown): Command {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw undecodable("a command", "it is not an object");
  const fields = value as Readonly<Record<string, unknown>>;
  return {
    key: optional(fields, "key", "string"),
    action: optional(fields, "action", "string") ?? "",
    body: Object.hasOwn(fields, "body") ? (fields["body"] ?? undefined) : undefined,
    version: optional(fields, "version", "number"),
    timeout: optional(fields, "timeout", "number"),
  };
}

interface Types {
  readonly string: string;
  readonly number: number;
}

function optional<T extends keyof Types>(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  type: T,
): Types[T] | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null) return undefined;
  // The comparison is what makes it that type.
  if (typeof value === type) return value as Types[T];
  throw undecodable("a command", `its field "${name}" must be a ${type}`);
}
