/** Options that are set elsewhere than in the file, put over those of the file. */
import type { JsonSchema } from "../schema/section.ts";
import type { Entry, MapNode, Node, ScalarNode } from "./document.ts";
import { entryOf, mapOf } from "./json-schema.ts";

/** Text from a variable or a flag; the schema says what type it has. */
export function textNode(text: string, source: string): ScalarNode {
  return { kind: "scalar", offset: 0, source, value: text, text, isUntyped: true };
}

/** The node with another value for one option below it. `schema` is that of the node. */
export function withOption(
  node: Node | undefined,
  schema: JsonSchema,
  path: readonly string[],
  value: Node,
): Node {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const map = asMap(node, schema, value);
  const before = map.entries.find((entry) => entry.key === key);
  const next = withOption(before?.value, entryOf(mapOf(schema), key) ?? {}, rest, value);
  const entry: Entry = { key, offset: 0, source: value.source, ...before, value: next };
  const entries =
    before === undefined ? [...map.entries, entry] : map.entries.map((one) => (one === before ? entry : one));
  return { ...map, entries };
}

/** One word in place of a map stands for one of its keys; true, false and nothing for none. */
function asMap(node: Node | undefined, schema: JsonSchema, { source }: Node): MapNode {
  if (node?.kind === "map") return node;
  const short = mapOf(schema)?.lintel?.short;
  if (
    node?.kind === "scalar" &&
    short !== undefined &&
    node.value !== null &&
    typeof node.value !== "boolean"
  )
    return { ...node, kind: "map", entries: [{ key: short, ...node, value: node }] };
  return { kind: "map", offset: 0, source, entries: [] };
}
