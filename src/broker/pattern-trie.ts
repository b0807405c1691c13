/** Patterns and what is registered under them, as a trie over tokens. */
interface Node<T> {
  readonly children: Map<string, Node<T>>;
  /** Values of patterns that end here, in order of registration. */
  readonly values: T[];
  /** Values of patterns that go on with a final `>`. */
  readonly rest: T[];
}

function createNode<T>(): Node<T> {
  return { children: new Map(), values: [], rest: [] };
}

/** Finds everything whose pattern matches a literal subject. The caller has validated patterns and subjects. */
export class PatternTrie<T> {
  readonly #root: Node<T> = createNode();

  add(pattern: string, value: T): void {
    const { tokens, open } = split(pattern);
    let node = this.#root;
    for (const token of tokens) {
      let child = node.children.get(token);
      if (child === undefined) {
        child = createNode();
        node.children.set(token, child);
      }
      node = child;
    }
    (open ? node.rest : node.values).push(value);
  }

  /** Removes one registration of this value under this pattern; false when there is none. */
  remove(pattern: string, value: T): boolean {
    const { tokens, open } = split(pattern);
    const path: Node<T>[] = [this.#root];
    for (const token of tokens) {
      const child = path.at(-1)?.children.get(token);
      if (child === undefined) return false;
      path.push(child);
    }
    const last = path.at(-1) ?? this.#root;
    const list = open ? last.rest : last.values;
    const index = list.indexOf(value);
    if (index < 0) return false;
    list.splice(index, 1);
    for (let depth = tokens.length; depth > 0 && isEmpty(path[depth]!); depth--) {
      path[depth - 1]!.children.delete(tokens[depth - 1]!);
    }
    return true;
  }

  /** Values whose pattern matches, the most specific pattern first: token by token a literal beats `*` beats `>`. */
  match(subject: string): T[] {
    const found: T[] = [];
    collect(this.#root, subject.split("."), 0, found);
    return found;
  }

  get isEmpty(): boolean {
    return isEmpty(this.#root);
  }
}

function split(pattern: string): { tokens: string[]; open: boolean } {
  const tokens = pattern.split(".");
  const open = tokens.at(-1) === ">";
  if (open) tokens.pop();
  return { tokens, open };
}

function isEmpty<T>(node: Node<T>): boolean {
  return node.children.size === 0 && node.values.length === 0 && node.rest.length === 0;
}

function collect<T>(node: Node<T>, tokens: readonly string[], depth: number, found: T[]): void {
  const token = tokens[depth];
  if (token === undefined) {
    for (const value of node.values) found.push(value);
    return;
  }
  const literal = node.children.get(token);
  if (literal !== undefined) collect(literal, tokens, depth + 1, found);
  const any = node.children.get("*");
  if (any !== undefined) collect(any, tokens, depth + 1, found);
  for (const value of node.rest) found.push(value);
}
