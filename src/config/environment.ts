/** Options in variables of the environment: `LINTEL_HTTP_LISTEN` is `http.listen`. */
import type { JsonSchema } from "../schema/section.ts";
import { parseDocument, type Node, type Report } from "./document.ts";
import { accepts, mapOf } from "./json-schema.ts";
import { textNode } from "./overlay.ts";
import type { Sections } from "./sections.ts";
import type { Environment } from "./substitute.ts";
import { closest } from "./suggest.ts";

const PREFIX = "LINTEL_";

/** Variables of other parts of Lintel: of clients, and of programs that Lintel starts. */
const OTHERS: ReadonlySet<string> = new Set([
  "LINTEL_HUB",
  "LINTEL_HTTP",
  "LINTEL_KEY",
  "LINTEL_KEY_FILE",
  "LINTEL_INSTANCE",
  "LINTEL_TLS_CA",
  "LINTEL_TLS_CERT",
  "LINTEL_TLS_KEY",
  "LINTEL_SUBJECT",
  "LINTEL_DEADLINE_MS",
  "LINTEL_METHOD",
  "LINTEL_PATH",
  "LINTEL_QUERY",
]);
const PARAMETER = /^LINTEL_PARAM_/;
/** Kubernetes sets these for services whose names begin with `lintel`. */
const OF_KUBERNETES = /_(?:SERVICE_(?:HOST|PORT)(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/;
/** `lintel up` tells its services by LINTEL_HTTP where its HTTP gateway is. */
const HTTP_URL = /^https?:\/\//;

export interface EnvironmentOption {
  readonly variable: string;
  /** From the top of the file. */
  readonly path: readonly string[];
  readonly schema: JsonSchema;
}

/** Every option that has a name, with its variable. */
export function optionsOf(sections: Sections): EnvironmentOption[] {
  return sections.keys.flatMap((key) => {
    const { variable = `${PREFIX}${upper(key)}` } = sections.get(key)?.section ?? {};
    return below([key], sections.schemaOf(key) ?? {}, variable);
  });
}

function below(path: readonly string[], schema: JsonSchema, variable: string): EnvironmentOption[] {
  const inside = Object.entries((accepts(schema, "object") ? mapOf(schema)?.properties : undefined) ?? {});
  return [
    { path, schema, variable },
    ...inside.flatMap(([key, one]) => below([...path, key], one, `${variable}_${upper(key)}`)),
  ];
}

/** `bodyLimit` is BODY_LIMIT. */
function upper(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/[^A-Za-z0-9]/g, "_")
    .toUpperCase();
}

/** An option that a variable sets. */
export interface EnvironmentValue extends EnvironmentOption {
  readonly value: Node;
}

/** The options that are set in the environment, those of whole sections first. Unknown names are reported. */
export async function readEnvironment(
  environment: Environment,
  sections: Sections,
  report: Report,
): Promise<EnvironmentValue[]> {
  const given = Object.entries(environment).filter(([variable]) => variable.startsWith(PREFIX));
  if (given.length === 0) return [];
  const options = optionsOf(sections);
  const found: EnvironmentValue[] = [];
  const names = options.map(({ variable }) => variable);
  for (const [variable, text] of given.toSorted(([one], [other]) => one.localeCompare(other))) {
    if (text === undefined) continue;
    const known = options.find((one) => one.variable === variable);
    const isUrlForService = variable === "LINTEL_HTTP" && HTTP_URL.test(text);
    if (known !== undefined && !isUrlForService) {
      const value = await toNode(text, known, report);
      if (value !== undefined) found.push({ ...known, value });
    } else if (!OTHERS.has(variable) && !PARAMETER.test(variable) && !OF_KUBERNETES.test(variable)) {
      const meant = closest(variable, names);
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      report({ offset: 0, source: variable }, `there is no option of this name${hint}`);
    }
  }
  return found.toSorted((one, other) => one.path.length - other.path.length);
}

/** Undefined for what is no YAML, which is reported. Lists and maps are written as in a file, `[a, b]` and `{ a: 1 }`; a list also as `a, b`. */
async function toNode(
  text: string,
  { schema, variable }: EnvironmentOption,
  report: Report,
): Promise<Node | undefined> {
  const takesList = accepts(schema, "array");
  if (/^\s*[[{]/.test(text) && (takesList || accepts(schema, "object"))) {
    const document = await parseDocument(text, variable);
    for (const { message } of document.problems()) report({ offset: 0, source: variable }, message);
    return document.root;
  }
  if (!takesList || accepts(schema, "string")) return textNode(text, variable);
  const items = text.split(",").map((item) => item.trim());
  return {
    kind: "list",
    offset: 0,
    source: variable,
    items: items.filter((item) => item !== "").map((item) => textNode(item, variable)),
  };
}
