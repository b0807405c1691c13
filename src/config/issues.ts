/** What a schema has against a value, told at the place in the file where it stands. */
import type { JsonSchema, SchemaIssue } from "../schema/section.ts";
import type { Node, Place, Report } from "./document.ts";
import { alternatives, entryOf, hintsOf, itemOf, mapOf } from "./json-schema.ts";
import { closest } from "./suggest.ts";
import { titled, type ValueReader } from "./values.ts";

/** A value in the file, with what is known of it. */
interface Spot {
  readonly node: Node;
  readonly schema: JsonSchema;
  /** What messages call it when the schema has no name for it: its key. */
  readonly key: string;
  /** Where its key stands. */
  readonly place: Place;
}

export class IssueReporter {
  readonly #reader: ValueReader;
  readonly #report: Report;

  constructor(reader: ValueReader, report: Report) {
    this.#reader = reader;
    this.#report = report;
  }

  report(issue: SchemaIssue, from: Spot): void {
    let spot = from;
    for (const step of issue.path ?? []) {
      const key = String(typeof step === "object" ? step.key : step);
      const next = this.#below(spot, key);
      if (next === undefined) {
        if (spot.node.kind === "map") this.#report(spot.node, `${nameOf(spot)} needs "${key}"`);
        return;
      }
      spot = next;
    }
    if (this.#reader.hasFailed(spot.node)) return;
    const inner = chosen(issue);
    if (inner === undefined) this.#tell(issue, spot);
    else for (const one of inner) this.report(one, spot);
  }

  #tell({ code, issues, message, params, values }: SchemaIssue, spot: Spot): void {
    const { node, place, schema } = spot;
    if (code === "invalid_key") {
      this.#report(place, issues?.[0]?.message ?? message);
      return;
    }
    if (params?.isSentence === true) {
      this.#report(params.isAboutKey === true ? place : node, message);
      return;
    }
    if (!message.startsWith("must be ")) {
      const isNamed = node.source !== undefined; // by the variable or the flag
      this.#report(node, isNamed ? message : `${nameOf(spot)}: ${message}`);
      return;
    }
    const words = values ?? alternatives(schema).flatMap((one) => one.enum ?? []);
    const texts = words.filter((word) => typeof word === "string");
    const given = node.kind === "scalar" ? node.text : "";
    const meant = closest(given, texts);
    const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
    const isSecret = hintsOf(schema, false).isSecret === true;
    const shown = isSecret ? "" : `, not ${this.#reader.describe(node)}${hint}`;
    const text = `${nameOf(spot)} ${message}${shown}`;
    this.#report(node, text, message.slice("must be ".length));
  }

  #below({ node, schema, key: above }: Spot, key: string): Spot | undefined {
    if (node.kind === "scalar") return undefined;
    if (node.kind === "list") {
      const item = node.items[Number(key)];
      return item && { node: item, schema: itemOf(schema), key: above, place: item };
    }
    const entry = node.entries.find((one) => one.key === key);
    return entry && { node: entry.value, schema: entryOf(mapOf(schema), key) ?? {}, key, place: entry };
  }
}

function nameOf({ node, schema, key }: Spot): string {
  return titled(hintsOf(schema, node.kind === "map"), key);
}

/** Of a union: what its member has against the value for which the value was meant, by its kind. */
function chosen({ errors }: SchemaIssue): readonly SchemaIssue[] | undefined {
  return errors?.find((issues) => issues.length > 0 && issues.every(isAboutContent));
}

function isAboutContent({ path = [], code, message, errors }: SchemaIssue): boolean {
  if (path.length > 0) return true;
  if (errors !== undefined) return chosen({ message, errors }) !== undefined;
  return code === "custom" && !message.startsWith("must be ");
}
