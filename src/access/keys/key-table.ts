/** API keys, known by their digests alone. */
import { createHash, timingSafeEqual } from "node:crypto";

/** SHA-256 of a key's bytes. */
export function digestOf(key: string): Buffer {
  return createHash("sha256").update(key, "utf8").digest();
}

/**
 * Finds what belongs to a key. How long that takes does not depend on how much of a key is right: what is looked up is its
 * digest, of which a caller cannot choose a part.
 */
export class KeyTable<T> {
  readonly #entries = new Map<string, { readonly digest: Buffer; readonly value: T }>();

  get size(): number {
    return this.#entries.size;
  }

  /** `sha256` has 64 hexadecimal digits. A digest that is there already gets the new value. */
  set(sha256: string, value: T): void {
    const digest = Buffer.from(sha256, "hex");
    this.#entries.set(digest.toString("base64"), { digest, value });
  }

  find(key: string): T | undefined {
    const digest = digestOf(key);
    const entry = this.#entries.get(digest.toString("base64"));
    return entry !== undefined && timingSafeEqual(entry.digest, digest) ? entry.value : undefined;
  }
}
