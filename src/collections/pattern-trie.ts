/** Patterns and what is registered under them, as a trie over tokens. */
interface Node<T> {
  readonly children: Map<string, Node<T>>;
  /** Values of patterns that end here, in order of registration, and how often each was registered. */
  readonly values: Map<T, number>;
  /** Values of patterns that go on with a final `>`. */
  readonly rest: Map<T, number>;
}

function createNode<T>(): Node<T> {
  return { children: new Map(), values: new Map(), rest: new Map() };
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
    const list = open ? node.rest : node.values;
    list.set(value, (list.get(value) ?? 0) + 1);
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
    const count = list.get(value);
    if (count === undefined) return false;
    if (count > 1) list.set(value, count - 1);
    else list.delete(value);
    for (let depth = tokens.length; depth > 0 && isEmpty(path[depth]!); depth--) {
      path[depth - 1]!.children.delete(tokens[depth - 1]!);
    }
    return true;
  }

  /** Values whose pattern matches; a wildcard of the subject counts as a token like any other. The most specific pattern first: token by token a literal beats `*` beats `>`. */
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
  return node.children.size === 0 && node.values.size === 0 && node.rest.size === 0;
}

function collect<T>(node: Node<T>, tokens: readonly string[], depth: number, found: T[]): void {
  const token = tokens[depth];
  if (token === undefined) {
    addAll(node.values, found);
    return;
  }
  const literal = node.children.get(token);
  if (literal !== undefined) collect(literal, tokens, depth + 1, found);
  const any = node.children.get("*");
  if (any !== undefined && any !== literal) collect(any, tokens, depth + 1, found);
  addAll(node.rest, found);
}

function addAll<T>(values: ReadonlyMap<T, number>, found: T[]): void {
  for (const [value, count] of values) for (let time = 0; time < count; time++) found.push(value);
}
