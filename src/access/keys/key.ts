/**
 * API keys as `lintel keys` makes them: `lkey_`, 32 random characters, and 6 that are a checksum of what stands before them. The
 * form is fixed so that programs that look for leaked secrets find them, and can tell them from other texts.
 */
import { randomInt } from "node:crypto";
import { crc32 } from "node:zlib";
import { digestOf } from "./key-table.ts";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX = "lkey_";
const RANDOM_LENGTH = 32;
const CHECKSUM_LENGTH = 6;
const FORM = /^lkey_[0-9A-Za-z]{38}$/;

/** A new key: 190 random bits. */
export function createKey(): string {
  let key = PREFIX;
  for (let count = 0; count < RANDOM_LENGTH; count++) key += ALPHABET[randomInt(ALPHABET.length)];
  return key + checksumOf(key);
}

/** True for a key with the right checksum. Keys of another form may be good as well: a hub only knows digests. */
export function isCreatedKey(text: string): boolean {
  return FORM.test(text) && checksumOf(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);
}

/** What a file of keys has in place of a key: 64 hexadecimal digits. */
export function sha256Of(key: string): string {
  return digestOf(key).toString("hex");
}

/** CRC-32 as a number of base 62, the highest digit first. */
function checksumOf(text: string): string {
  let rest = crc32(text) >>> 0;
  let digits = "";
  for (let count = 0; count < CHECKSUM_LENGTH; count++) {
    digits = ALPHABET[rest % 62]! + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
