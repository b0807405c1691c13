/**
 * Reads the configuration: `lintel.yaml`, variables of the environment and flags. Every mistake is reported at once, with its
 * place and what is allowed there.
 */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { AccessOptions } from "../access/access-options.ts";
import type { GatewayEntry, GatewayKind } from "../gateway/gateway.ts";
import type { HttpOptions } from "../gateway/http/options.ts";
import type { BuiltInOptions } from "../gateway/registry.ts";
import type { EngineAt } from "../engine/engine-at.ts";
import { LintelError } from "../message/failure.ts";
import type { Limits } from "../message/limits.ts";
import type { OptionFlag, StandardSchema } from "../schema/section.ts";
import type { TlsOptions } from "../transport/transport.ts";
import { parseDocument, type Entry, type MapNode, type Node, type Problem, type Report } from "./document.ts";
import { readEnvironment } from "./environment.ts";
import { IssueReporter } from "./issues.ts";
import { textNode, withOption } from "./overlay.ts";
import { loadKind } from "./own-kinds.ts";
import { GATEWAYS, loadSections, type Sections } from "./sections.ts";
import type { ServiceDefinition } from "./services.ts";
import type { Environment } from "./substitute.ts";
import { EXTENSION, ValueReader, unknownKey } from "./values.ts";

/** What the configuration says, in the form a hub takes. */
export interface FileConfig extends Omit<BuiltInOptions, "transports" | "http"> {
  readonly http?: false | HttpOptions;
  readonly tls?: TlsOptions;
  readonly access?: AccessOptions;
  readonly insecure?: boolean;
  readonly accessLog?: string;
  readonly engine?: EngineAt;
  readonly limits?: Partial<Limits>;
  /** The user's gateways. */
  readonly gateways?: readonly GatewayEntry[];
  /** What `lintel up` starts next to the hub. */
  readonly services?: ServiceDefinition[];
}

/** A flag that is given, with its texts. */
export interface GivenFlag {
  readonly flag: OptionFlag;
  readonly values: readonly string[];
}

/** What goes before the file: flags, then variables. */
export interface Overrides {
  /** For options such as `LINTEL_HTTP_LISTEN`, and for `${NAME}` in the file. Default: no variables. */
  readonly environment?: Environment;
  readonly flags?: readonly GivenFlag[];
}

/**
 * Reads the text of a config file; `name` is its path, from whose folder paths in it lead. Rejects with `invalid_argument` / `BAD_CONFIG`
 * that lists every problem as `name:line:column: message`, or with the variable or flag in place of that; `details` has them as data.
 */
export async function parseConfig(
  source: string,
  name: string,
  overrides: Overrides = {},
): Promise<FileConfig> {
  const document = await parseDocument(source);
  const config =
    document.problems().length > 0
      ? {}
      : await new ConfigReader(
          document.report,
          dirname(name),
          overrides,
          await loadSections(dirname(name)),
        ).read(document.root);
  const problems = document.problems();
  if (problems.length > 0) throw badConfig(problems, name);
  return config;
}

/**
 * Reads a config file, or only what goes before one when there is none. Rejects as `parseConfig` does, and with `NO_CONFIG` when
 * the file cannot be read.
 */
export async function readConfig(path: string | undefined, overrides: Overrides = {}): Promise<FileConfig> {
  if (path === undefined) return parseConfig("", "lintel.yaml", overrides);
  let source: string;
  try {
    source = await readFile(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LintelError("not_found", `cannot read ${path}: ${why}`, { reason: "NO_CONFIG", cause });
  }
  return parseConfig(source, path, overrides);
}

class ConfigReader {
  readonly #report: Report;
  readonly #overrides: Overrides;
  readonly #sections: Sections;
  readonly #values: ValueReader;
  readonly #issues: IssueReporter;
  /** Of the user's, by their names. */
  readonly #kinds = new Map<string, GatewayKind>();

  constructor(report: Report, folder: string, overrides: Overrides, sections: Sections) {
    this.#report = report;
    this.#overrides = overrides;
    this.#sections = sections;
    this.#values = new ValueReader(report, folder, overrides.environment ?? {});
    this.#issues = new IssueReporter(this.#values, report);
  }

  async read(file: Node | undefined): Promise<FileConfig> {
    await this.#addKinds(file);
    const root = await this.#withOverrides(file);
    if (root === undefined) return {};
    if (root.kind !== "map") {
      const keys = this.#sections.keys.map((key) => `"${key}"`);
      this.#report(
        root,
        `the file must be a map with ${keys.join(", ")}, not ${this.#values.describe(root)}`,
      );
      return {};
    }
    const config: Record<string, unknown> = {};
    for (const entry of this.#withOwners(root).entries) {
      const value = entry.key === GATEWAYS ? undefined : await this.#section(entry);
      if (value !== undefined) config[entry.key] = value;
    }
    return this.#kinds.size === 0 ? config : this.#withKinds(config); // each key was read by the section of its name
  }

  /** Loads the user's kinds of gateways, whose names are keys of the file then. */
  async #addKinds(file: Node | undefined): Promise<void> {
    const environment = pick(this.#overrides.environment ?? {}, `LINTEL_${GATEWAYS.toUpperCase()}`);
    let root = file;
    for (const { path, value } of await readEnvironment(environment, this.#sections, this.#report))
      root = this.#with(root, path, value);
    const entry = root?.kind === "map" ? root.entries.find(({ key }) => key === GATEWAYS) : undefined;
    if (entry === undefined) return;
    const paths = (await this.#section(entry)) as readonly string[] | undefined; // so says its schema
    for (const [index, path] of paths?.entries() ?? []) {
      const place = entry.value.kind === "list" ? (entry.value.items[index] ?? entry) : entry;
      try {
        const kind = await loadKind(path);
        if (this.#sections.keys.includes(kind.name)) throw new TypeError(`there is a "${kind.name}" already`);
        this.#sections.add(kind.name, (await kind.config?.()) ?? {});
        this.#kinds.set(kind.name, kind);
      } catch (error) {
        this.#report(place, error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** A gateway of the user's is opened unless its key is false. */
  #withKinds(config: Readonly<Record<string, unknown>>): FileConfig {
    const rest = Object.fromEntries(Object.entries(config).filter(([key]) => !this.#kinds.has(key)));
    const entries = [...this.#kinds].filter(([name]) => config[name] !== false);
    return { ...rest, gateways: entries.map(([name, kind]) => ({ kind, options: config[name] ?? {} })) };
  }

  /** The file with what variables and flags say in place of what it says. */
  async #withOverrides(file: Node | undefined): Promise<Node | undefined> {
    const { environment = {}, flags = [] } = this.#overrides;
    let root = file;
    for (const { path, value } of await readEnvironment(environment, this.#sections, this.#report))
      root = this.#with(root, path, value);
    for (const { flag, values } of flags) {
      const source = flag.flag.replace(/ .*/, "");
      const [first = ""] = values;
      const isOff = flag.takesOff === true && first === "off";
      const items = values.map((value) => textNode(value, source));
      const value: Node =
        flag.isRepeatable === true
          ? { kind: "list", offset: 0, source, items }
          : textNode(isOff ? "false" : first, source);
      root = this.#with(root, isOff ? flag.path.slice(0, 1) : flag.path, value);
    }
    return root;
  }

  #with(root: Node | undefined, path: readonly string[], value: Node): Node {
    const [key = ""] = path;
    const properties = { [key]: this.#sections.schemaOf(key) ?? {} };
    return withOption(root, { type: "object", properties }, path, value);
  }

  /** Options that stand at the top, in the sections they belong to. */
  #withOwners(root: MapNode): MapNode {
    const isElsewhere = ({ key }: Entry): boolean => this.#sections.ownerOf(key) !== undefined;
    let result: MapNode = { ...root, entries: root.entries.filter((entry) => !isElsewhere(entry)) };
    for (const entry of root.entries.filter(isElsewhere)) {
      const owner = this.#sections.ownerOf(entry.key) ?? "";
      const section = result.entries.find(({ key }) => key === owner)?.value;
      if (section?.kind === "scalar" && section.value === false)
        this.#report(entry, `${entry.key} are for ${owner}, which is false`);
      else if (section?.kind === "map" && section.entries.some(({ key }) => key === entry.key))
        this.#report(entry, `${entry.key} are in ${owner} as well; say them in one place`);
      else result = this.#with(result, [owner, entry.key], entry.value) as MapNode; // as it was
    }
    return result;
  }

  async #section({ key, value: node, ...place }: Entry): Promise<unknown> {
    const known = this.#sections.get(key);
    if (known === undefined) {
      if (!key.startsWith(EXTENSION)) this.#report(place, unknownKey("the file", key, this.#sections.keys));
      return undefined;
    }
    const { json } = known;
    const { schema } = known.section;
    const value = this.#values.value(node, json, key);
    if (schema === undefined) return value;
    const outcome = await validated(schema, value);
    if (outcome.issues === undefined) return outcome.value;
    for (const issue of outcome.issues) this.#issues.report(issue, { node, schema: json, key, place });
    return undefined;
  }
}

function pick(environment: Environment, name: string): Environment {
  return environment[name] === undefined ? {} : { [name]: environment[name] };
}

async function validated(
  schema: StandardSchema,
  value: unknown,
): Promise<Awaited<ReturnType<StandardSchema["~standard"]["validate"]>>> {
  return schema["~standard"].validate(value);
}

function badConfig(problems: readonly Problem[], name: string): LintelError {
  const lines = problems.map(({ line, column, source, message }) =>
    source === undefined ? `${name}:${line}:${column}: ${message}` : `${source}: ${message}`,
  );
  return new LintelError("invalid_argument", lines.join("\n"), { reason: "BAD_CONFIG", details: problems });
}
