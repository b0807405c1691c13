/** Which subjects a principal was given, verb by verb. */
import { isPattern } from "../message/subject.ts";
import type { Verb } from "./access.ts";

export const VERBS: readonly Verb[] = ["request", "publish", "subscribe", "serve", "open", "admin"];

/** Patterns for each verb, such as `{ request: ["orders.>"] }`. */
export type Grants = { readonly [verb in Verb]?: readonly string[] | undefined };

/** True if every subject that `inner` matches is matched by `outer`. Both are patterns or subjects. */
export function covers(outer: string, inner: string): boolean {
  const outers = outer.split(".");
  const inners = inner.split(".");
  for (const [index, token] of outers.entries()) {
    const other = inners[index];
    if (other === undefined) return false;
    if (token === ">") return true;
    if (other === ">" || (token !== "*" && token !== other)) return false;
  }
  return outers.length === inners.length;
}

/** True if there is a subject that both match. */
export function overlap(one: string, other: string): boolean {
  const ones = one.split(".");
  const others = other.split(".");
  const length = Math.max(ones.length, others.length);
  for (let index = 0; index < length; index++) {
    const first = ones[index];
    const second = others[index];
    if (first === undefined || second === undefined) return false;
    if (first === ">" || second === ">") return true;
    if (first !== "*" && second !== "*" && first !== second) return false;
  }
  return true;
}

/** What is wrong with grants that come from elsewhere, in words that follow the name of where they stand; undefined when nothing is. */
export function problemOfGrants(grants: unknown): string | undefined {
  if (typeof grants !== "object" || grants === null || Array.isArray(grants))
    return "must be a map of verbs and lists of patterns";
  for (const [verb, patterns] of Object.entries(grants)) {
    if (!(VERBS as readonly string[]).includes(verb))
      return `has "${verb}", which is not one of the verbs ${VERBS.join(", ")}`;
    if (patterns === undefined) continue;
    if (!Array.isArray(patterns)) return `must have a list of patterns for ${verb}`;
    const wrong: unknown = patterns.find((pattern) => typeof pattern !== "string" || !isPattern(pattern));
    if (wrong !== undefined) return `has ${JSON.stringify(wrong)} for ${verb}, which is not a pattern`;
  }
  return undefined;
}
