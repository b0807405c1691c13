import { createHash } from "node:crypto";

/** What stands for a key in a configuration. */
export function sha256Hex(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
