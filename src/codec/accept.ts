/** `accept` as in HTTP (RFC 9110, 12.5.1): media ranges with weights. */

/** A media range and how much it is wanted, from 0 to 1. */
interface Wish {
  readonly range: string;
  readonly weight: number;
}

/** More are not looked at. */
const MAX_WISHES = 32;
const WEIGHT = /^q=([01](?:\.\d{0,3})?)$/;

/** The content types that an `accept` header prefers. */
export class Wishes {
  readonly #wishes: readonly Wish[];

  constructor(accept: string) {
    this.#wishes = accept.split(",", MAX_WISHES).map(parseWish);
  }

  /** How much a content type is wanted; the most specific range decides. 0: not at all. */
  weightOf(contentType: string): number {
    const full = contentType.replaceAll(" ", "").toLowerCase();
    const semicolon = full.indexOf(";");
    const bare = semicolon < 0 ? full : full.slice(0, semicolon);
    const slash = bare.indexOf("/");
    for (const range of [full, bare, `${bare.slice(0, slash)}/*`, "*/*"]) {
      const wish = this.#wishes.find((one) => one.range === range);
      if (wish !== undefined) return wish.weight;
    }
    return 0;
  }
}

function parseWish(text: string): Wish {
  const parts = text
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const at = parts.findIndex((part) => WEIGHT.test(part));
  const range = (at < 0 ? parts : parts.slice(0, at)).join(";");
  return { range, weight: at < 0 ? 1 : Math.min(1, Number(WEIGHT.exec(parts[at]!)![1])) };
}

/** An `accept` that names these content types, each a little less wanted than those before. */
export function acceptOf(contentTypes: readonly string[]): string {
  const step = Math.min(0.1, 0.9 / contentTypes.length);
  return contentTypes
    .map((type, index) =>
      index === 0 ? type : `${type};q=${(1 - index * step).toFixed(3).replace(/0+$/, "")}`,
    )
    .join(", ");
}
