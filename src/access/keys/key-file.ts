/** A file with one key, for programs that show one. */
import { readFileSync } from "node:fs";

const FORM = /^[!-~]{1,8192}$/;

/** The key without the space around it; undefined for what can be none. */
export function keyIn(text: string): string | undefined {
  const key = text.trim();
  return FORM.test(key) ? key : undefined;
}

/** Throws for a file that cannot be read or has no key. The error does not repeat what is in it. */
export function readKeyFile(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot read ${file}: ${why}`, { cause });
  }
  const key = keyIn(text);
  if (key !== undefined) return key;
  throw new Error(`${file} must have one key: 1 to 8,192 printable characters without spaces`);
}
