/** Questions to a JSON Schema: what stands behind its unions and references. */
import type { Hints, JsonSchema } from "../schema/section.ts";

/** The schema with the definitions that it refers to in their places. What refers to itself is left open there. */
export function inlined(schema: JsonSchema): JsonSchema {
  const definitions = { ...asMap(schema["definitions"]), ...asMap(schema["$defs"]) };
  const replace = (value: unknown, open: readonly string[]): unknown => {
    if (Array.isArray(value)) return value.map((item) => replace(item, open));
    if (typeof value !== "object" || value === null) return value;
    const { $ref, ...rest } = value as JsonSchema;
    if (typeof $ref !== "string") {
      const entries = Object.entries(value).filter(([key]) => key !== "definitions" && key !== "$defs");
      return Object.fromEntries(entries.map(([key, item]) => [key, replace(item, open)]));
    }
    const name = $ref.replace(/^#\/(?:definitions|\$defs)\//, "");
    return open.includes(name)
      ? rest
      : { ...asMap(replace(definitions[name] ?? {}, [...open, name])), ...rest };
  };
  return asMap(replace(schema, []));
}

function asMap(value: unknown): JsonSchema {
  return typeof value === "object" && value !== null ? (value as JsonSchema) : {};
}

/** The kinds of values that a schema takes, each by itself. */
export function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  const { anyOf, allOf } = schema;
  if (anyOf !== undefined) return anyOf.flatMap(alternatives);
  if (schema.oneOf !== undefined && schema.type === undefined) return schema.oneOf.flatMap(alternatives);
  if (allOf !== undefined) return [Object.assign({}, schema, ...allOf) as JsonSchema];
  return [schema];
}

type TypeName = "string" | "number" | "boolean" | "null" | "array" | "object";

/** True if values of this type may be legal, or this one value of it. */
export function accepts(schema: JsonSchema, type: TypeName, value?: unknown): boolean {
  return alternatives(schema).some((one) => {
    if (value !== undefined && one.const !== undefined) return one.const === value;
    return typesOf(one)?.includes(type) ?? true;
  });
}

/** True if it says nothing of what a value is. */
export function isOpen(schema: JsonSchema): boolean {
  return alternatives(schema).some((one) => typesOf(one) === undefined);
}

/** True if all texts, numbers, true and false are legal: what is only passed on. */
export function takesAnyScalar(schema: JsonSchema): boolean {
  const types = new Set(alternatives(schema).flatMap(({ type = [] }) => type));
  return types.has("string") && types.has("number") && types.has("boolean");
}

function typesOf({ type, const: only, enum: words }: JsonSchema): readonly string[] | undefined {
  if (only !== undefined) return [only === null ? "null" : typeof only];
  if (words !== undefined) return words.map((word) => (word === null ? "null" : typeof word));
  if (type === undefined) return undefined;
  return (typeof type === "string" ? [type] : type).map((name) => (name === "integer" ? "number" : name));
}

/** What the schema says of maps: its keys, from all its kinds of maps. Undefined when it takes none. */
export function mapOf(schema: JsonSchema): JsonSchema | undefined {
  const maps = alternatives(schema).filter((one) => typesOf(one)?.includes("object") ?? true);
  const [first] = maps;
  if (maps.length < 2) return first;
  return {
    type: "object",
    properties: Object.assign({}, ...maps.map(({ properties }) => properties)),
    additionalProperties: maps.every((one) => one.additionalProperties === false) ? false : {},
  };
}

/** The schema of what has this key in a map. Undefined for a key that the map may not have. */
export function entryOf(map: JsonSchema | undefined, key: string): JsonSchema | undefined {
  const { properties = {}, additionalProperties = {} } = map ?? {};
  if (Object.hasOwn(properties, key)) return properties[key];
  if (typeof additionalProperties === "object") return additionalProperties;
  return additionalProperties ? {} : undefined;
}

/** The schema of the items of a list. */
export function itemOf(schema: JsonSchema): JsonSchema {
  return alternatives(schema).find(({ items }) => items !== undefined)?.items ?? {};
}

/** The hints of the schema, and of its kind of map if that is what the value is. */
export function hintsOf(schema: JsonSchema, isMap: boolean): Hints {
  return { ...schema.lintel, ...(isMap ? mapOf(schema)?.lintel : {}) };
}
