/** Which routes match a path. Literal segments go before parameters, parameters before a rest. */
import { LintelError } from "../../message/failure.ts";
import type { RouteSpec } from "./route-options.ts";

interface Node {
  readonly literals: Map<string, Node>;
  param: Node | undefined;
  /** Routes that end here. */
  readonly ends: RouteSpec[];
  /** Routes whose rest parameter begins here. */
  readonly rests: RouteSpec[];
}

function createNode(): Node {
  return { literals: new Map(), param: undefined, ends: [], rests: [] };
}

/** A trie of routes. A look-up visits each of its nodes at most once. */
export class RouteTrie {
  readonly #root = createNode();

  /** Adds a route. Throws `invalid_argument` when an earlier one takes the same requests. */
  add(route: RouteSpec): void {
    let node = this.#root;
    let bucket = node.ends;
    for (const segment of route.segments) {
      if (segment.kind === "rest") {
        bucket = node.rests;
        break;
      }
      node = segment.kind === "literal" ? literalChild(node, segment.text) : (node.param ??= createNode());
      bucket = node.ends;
    }
    const rival = bucket.find((other) => overlap(other, route));
    if (rival !== undefined) {
      const text = `${route.label} takes the same requests as ${rival.label}; remove one or set different methods`;
      throw new LintelError("invalid_argument", text);
    }
    if (route.methods === undefined) bucket.push(route);
    else bucket.unshift(route); // one that takes any method gives way to those that list theirs
  }

  /** Every route that matches, the most specific first. */
  match(segments: readonly string[]): RouteSpec[] {
    const found: RouteSpec[] = [];
    collect(this.#root, segments, 0, found);
    return found;
  }
}

function literalChild(node: Node, text: string): Node {
  let child = node.literals.get(text);
  if (child === undefined) {
    child = createNode();
    node.literals.set(text, child);
  }
  return child;
}

/** Two routes of one shape are told apart by their methods. */
function overlap(one: RouteSpec, other: RouteSpec): boolean {
  if (one.methods === undefined || other.methods === undefined) return one.methods === other.methods;
  return one.methods.some((method) => other.methods!.includes(method));
}

function collect(node: Node, segments: readonly string[], index: number, found: RouteSpec[]): void {
  if (index === segments.length) {
    found.push(...node.ends, ...node.rests.filter(isApp));
    return;
  }
  const segment = segments[index]!;
  const literal = node.literals.get(segment);
  if (literal !== undefined) collect(literal, segments, index + 1, found);
  if (node.param !== undefined && segment !== "") collect(node.param, segments, index + 1, found);
  if (node.rests.length === 0) return;
  found.push(...(segments.includes("", index) ? node.rests.filter(isApp) : node.rests));
}

/** A web app has what is at its path, too, and itself says what empty segments mean. */
function isApp({ mode }: RouteSpec): boolean {
  return mode === "app";
}
