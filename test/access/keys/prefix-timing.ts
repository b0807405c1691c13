/** Whether the time that looking up a key takes tells how much of the beginning of a key is right. */
import { randomInt } from "node:crypto";
import { createKey } from "../../../src/access/keys/key.ts";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** How often each guess is looked up for one sample: more than the clock's resolution. */
const REPEATED = 8;

/** How many guesses there are of each kind: as many as there are wrong last characters. The same ones, so caches are as warm. */
const GUESSES = ALPHABET.length - 1;

/** Different keys of the length of this one, the first characters of which are right. */
function guessesOf(key: string, right: number): readonly string[] {
  const guesses = new Set<string>();
  while (guesses.size < GUESSES) {
    let guess = key.slice(0, right);
    for (const character of key.slice(right)) {
      const place = (ALPHABET.indexOf(character) + randomInt(1, ALPHABET.length)) % ALPHABET.length;
      guess += ALPHABET[place]!;
    }
    guesses.add(guess);
  }
  // Each in one piece of memory: how a text was put together must not tell the kinds apart.
  return [...guesses].map((guess) => Buffer.from(guess, "latin1").toString("latin1"));
}

/**
 * The chance that a guess with so many right characters takes longer than one without any; 0.5 if nothing depends on it. It is
 * the statistic of the rank test of Mann and Whitney: interruptions, which only make some samples far too long, do not move it.
 */
export function chanceOfLonger(
  find: (key: string) => unknown,
  key: string,
  right: number,
  samples: number,
): number {
  const guesses = [guessesOf(key, 0), guessesOf(key, right)];
  const wrongAtOnce: number[] = [];
  const wrongLate: number[] = [];
  for (let count = -samples / 10; count < samples; count++) {
    const isLate = randomInt(2) === 1; // in no order that anything else could have
    const guess = guesses[isLate ? 1 : 0]![randomInt(GUESSES)]!;
    const start = process.hrtime.bigint();
    for (let time = 0; time < REPEATED; time++) find(guess);
    const taken = Number(process.hrtime.bigint() - start);
    if (count >= 0) (isLate ? wrongLate : wrongAtOnce).push(taken); // until then it is compiled
  }
  return chanceOfMore(wrongAtOnce, wrongLate);
}

/** The chance that one of `others` is more than one of `ones`; half of those that are equal count. */
export function chanceOfMore(ones: readonly number[], others: readonly number[]): number {
  const all = [...ones.map((value) => [value, 0] as const), ...others.map((value) => [value, 1] as const)];
  all.sort(([first], [second]) => first - second);
  let sum = 0; // of the ranks of `others`
  for (let index = 0; index < all.length;) {
    let end = index;
    while (end < all.length && all[end]![0] === all[index]![0]) end++;
    const rank = (index + 1 + end) / 2;
    for (; index < end; index++) sum += all[index]![1] * rank;
  }
  return (sum - (others.length * (others.length + 1)) / 2) / (ones.length * others.length);
}

/** A key, and a lookup that ends at the first character that is wrong, to see that it would be noticed. */
export function leakyLookup(): { readonly key: string; readonly find: (guess: string) => boolean } {
  const key = createKey();
  const find = (guess: string): boolean => {
    for (let index = 0; index < key.length; index++)
      if (key.charCodeAt(index) !== guess.charCodeAt(index)) return false;
    return true;
  };
  return { key, find };
}
