/** Keys of calls: 20 characters that sort by the time they were made. */

/** In the order of their codes, so that keys sort as their times do. */
const ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const TIME_CHARACTERS = 8;
const RANDOM_CHARACTERS = 12;

/** A key: 8 characters of time, 12 of chance. `epochMs` is the time of day in milliseconds since 1970. */
export function pushId(epochMs: number): string {
  let time = "";
  for (let rest = Math.floor(epochMs), left = TIME_CHARACTERS; left > 0; left--) {
    time = ALPHABET[rest % 64]! + time;
    rest = Math.floor(rest / 64);
  }
  let chance = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(RANDOM_CHARACTERS)))
    chance += ALPHABET[byte & 63]!;
  return time + chance;
}
