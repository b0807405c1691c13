/** The `services` of a config file: what `lintel up` starts next to the hub, and how. None of it names a port. */
import { resolve } from "node:path";
import { MAX_TIMEOUT } from "../message/limits.ts";
import { checkPattern } from "../message/subject.ts";
import type { MapNode, Node, Report } from "./document.ts";
import { boolean, duration, integer, list, map, oneOf, record, text, written, type Shape } from "./shape.ts";
import { closest } from "./suggest.ts";

/** What is started: a program, or a command of `lintel` around one. */
export type ServiceProgram =
  | { readonly kind: "command"; readonly command: readonly string[] }
  | ({ readonly kind: "work" } & WorkDefinition)
  | { readonly kind: "app"; readonly module: string; readonly subject: string };

/** A program made a worker by `lintel work`. */
export interface WorkDefinition {
  readonly subject: string;
  readonly command: readonly string[];
  readonly lines?: boolean;
  readonly stream?: boolean;
  readonly queue?: string;
  readonly concurrency?: number;
  readonly type?: string;
}

/** What becomes of a service that has ended by itself. */
export interface RestartPolicy {
  readonly policy: "always" | "on-failure" | "never";
  /** Wait before the second start. Milliseconds; it doubles with each start in a row that fails. */
  readonly firstMs: number;
  /** Longest wait. Milliseconds. */
  readonly lastMs: number;
  /** Failures in a row after which it is not started again; undefined for never giving up. */
  readonly attempts?: number;
}

export interface ServiceDefinition {
  readonly name: string;
  readonly program: ServiceProgram;
  readonly instances: number;
  /** Patterns that must be served at the hub before an instance counts as ready. */
  readonly subjects: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Where it is started: an absolute path. */
  readonly directory: string;
  readonly restart: RestartPolicy;
  /** Time until an instance must be ready. Milliseconds. */
  readonly startTimeoutMs: number;
  /** Time between SIGTERM and SIGKILL. Milliseconds. */
  readonly stopGraceMs: number;
  /** Services that must have been ready before this one is started. */
  readonly dependsOn: readonly string[];
}

export const MAX_INSTANCES = 256;
const MAX_SERVICES = 256;
const MAX_ATTEMPTS = 1_000_000;
const NAME = /^[a-z][a-z0-9_-]{0,31}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Set by `lintel up` itself. */
const OWN_VARIABLES: ReadonlySet<string> = new Set(["LINTEL_HUB", "LINTEL_HTTP", "LINTEL_INSTANCE"]);
const DEFAULT_RESTART: RestartPolicy = { policy: "always", firstMs: 200, lastMs: 10_000 };
const DEFAULT_START_MS = 30_000;
const DEFAULT_GRACE_MS = 5_000;

const time = (name: string): Shape<number> => duration(name, MAX_TIMEOUT);
const pattern = (name: string): Shape<string> => text(name, checkPattern);

/** A list is a program and its arguments; text is for the shell. */
const command: Shape<string[]> = (node, report) => {
  if (node.kind !== "list") {
    const line = text("command", notEmpty)(node, report);
    return line === undefined ? undefined : ["/bin/sh", "-c", line];
  }
  const words = list("command", written("a word of command"))(node, report);
  if (node.items.length > 0 && node.items[0] !== undefined) return words;
  report(node, "command needs a program");
  return undefined;
};

const work: Shape<WorkDefinition> = (node, report) => {
  const fields = map(
    "work",
    {
      subject: pattern("subject"),
      command,
      lines: boolean("lines"),
      stream: boolean("stream"),
      queue: text("queue"),
      concurrency: integer("concurrency", 1, 65_535),
      type: text("type"),
    },
    ["subject", "command"],
  )(node, report);
  if (fields?.lines === true && fields.type !== undefined)
    report(node, "type is not for lines, whose answers are JSON");
  if (fields?.lines === true && fields.stream === true) report(node, "lines and stream exclude each other");
  if (fields?.subject === undefined || fields.command === undefined) return undefined;
  return { ...fields, subject: fields.subject, command: fields.command };
};

const policies = ["always", "on-failure", "never"] as const;
const policy = oneOf("restart", policies);

const restart: Shape<RestartPolicy> = (node, report) => {
  if (node.kind !== "map") {
    const word = policy(node, report);
    return word === undefined ? undefined : { ...DEFAULT_RESTART, policy: word };
  }
  const fields = map("restart", {
    policy: oneOf("policy", policies),
    first: time("first"),
    last: time("last"),
    attempts: integer("attempts", 1, MAX_ATTEMPTS),
  })(node, report);
  const { policy: word = DEFAULT_RESTART.policy, first = DEFAULT_RESTART.firstMs, attempts } = fields ?? {};
  const last = fields?.last ?? Math.max(first, DEFAULT_RESTART.lastMs);
  if (last < first) report(node, "last must not be shorter than first");
  return { policy: word, firstMs: first, lastMs: last, ...(attempts === undefined ? {} : { attempts }) };
};

const variable = written("a variable");

const environment: Shape<Record<string, string>> = (node, report) => {
  if (node.kind === "map")
    for (const { key, offset } of node.entries) {
      if (!VARIABLE.test(key))
        report({ offset }, `"${key}" is not the name of a variable: [A-Za-z_][A-Za-z0-9_]*`);
      else if (OWN_VARIABLES.has(key)) report({ offset }, `${key} is set by lintel up`);
    }
  return record("environment", variable)(node, report);
};

const PROGRAMS = ["command", "work", "app"] as const;

/** `directory` is where paths begin. */
function service(directory: string, name: string): Shape<ServiceDefinition> {
  const fields = map(`service ${name}`, {
    command,
    work,
    app: text("app", notEmpty),
    subject: pattern("subject"),
    subjects: list("subjects", pattern("a subject")),
    instances: integer("instances", 0, MAX_INSTANCES),
    environment,
    directory: text("directory", notEmpty),
    restart,
    startTimeout: time("startTimeout"),
    stopGrace: time("stopGrace"),
    dependsOn: list("dependsOn", text("a service")),
  });
  return (node, report) => {
    const read = fields(node, report);
    if (read === undefined || node.kind !== "map") return undefined;
    const where = resolve(directory, read.directory ?? ".");
    const program = programOf(node, name, read, where, report);
    if (program === undefined) return undefined;
    return {
      name,
      program,
      instances: read.instances ?? 1,
      subjects: read.subjects ?? (program.kind === "command" ? [] : [program.subject]),
      environment: read.environment ?? {},
      directory: where,
      restart: read.restart ?? DEFAULT_RESTART,
      startTimeoutMs: read.startTimeout ?? DEFAULT_START_MS,
      stopGraceMs: read.stopGrace ?? DEFAULT_GRACE_MS,
      dependsOn: read.dependsOn ?? [],
    };
  };
}

interface ProgramKeys {
  readonly command?: readonly string[];
  readonly work?: WorkDefinition;
  readonly app?: string;
  readonly subject?: string;
}

function programOf(
  node: MapNode,
  name: string,
  { command: words, work: worker, app, subject }: ProgramKeys,
  directory: string,
  report: Report,
): ServiceProgram | undefined {
  const present = PROGRAMS.filter((key) => node.entries.some((entry) => entry.key === key));
  const lead = node.entries[0] ?? node;
  if (present.length !== 1) {
    report(
      lead,
      `service ${name} needs one of ${PROGRAMS.join(", ")}${present.length > 1 ? ", not several" : ""}`,
    );
    return undefined;
  }
  const hasSubject = node.entries.some(({ key }) => key === "subject");
  if (hasSubject !== (present[0] === "app")) {
    const hint = hasSubject
      ? `"subject" goes with "app"; say what it serves with "subjects"`
      : `"app" needs "subject"`;
    report(lead, `service ${name}: ${hint}`);
    return undefined;
  }
  if (words !== undefined) return { kind: "command", command: words };
  if (worker !== undefined) return { kind: "work", ...worker };
  if (app === undefined || subject === undefined) return undefined; // said already
  return { kind: "app", module: resolve(directory, app), subject };
}

/** A map of services by name. Paths lead from `directory`. */
export function services(directory: string): Shape<ServiceDefinition[]> {
  return (node, report) => {
    if (node.kind !== "map") return record("services", (one: Node) => one)(node, report) && undefined;
    if (node.entries.length > MAX_SERVICES) report(node, `more than ${MAX_SERVICES} services`);
    const names = node.entries.map(({ key }) => key);
    return node.entries.flatMap((entry) => {
      const { key: name, offset } = entry;
      if (!NAME.test(name)) {
        report(
          { offset },
          `"${name}" is not a service's name: a-z, then a-z, 0-9, - or _, at most 32 in all`,
        );
        return [];
      }
      const definition = service(directory, name)(entry.value, report);
      if (definition === undefined) return [];
      checkDependencies(node, entry.value, definition, names, report);
      return [definition];
    });
  };
}

function checkDependencies(
  all: MapNode,
  node: Node,
  { name, dependsOn }: ServiceDefinition,
  names: readonly string[],
  report: Report,
): void {
  const place = (node.kind === "map" && node.entries.find(({ key }) => key === "dependsOn")?.value) || node;
  for (const other of dependsOn) {
    if (names.includes(other)) continue;
    const meant = closest(other, names);
    report(place, `there is no service "${other}"${meant === undefined ? "" : `; did you mean "${meant}"?`}`);
  }
  if (reaches(all, name, name)) report(place, `service ${name} depends on itself`);
}

/** True when following dependencies from one service leads to another. */
function reaches(all: MapNode, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const next of dependenciesIn(all, name)) {
      if (next === to) return true;
      if (!seen.has(next)) open.push(next);
      seen.add(next);
    }
  }
  return false;
}

function dependenciesIn(all: MapNode, name: string): string[] {
  const found = all.entries.find(({ key }) => key === name)?.value;
  const value =
    found?.kind === "map" ? found.entries.find(({ key }) => key === "dependsOn")?.value : undefined;
  if (value?.kind !== "list") return [];
  return value.items.flatMap((item) => (item.kind === "scalar" ? [item.text] : []));
}

function notEmpty(one: string): void {
  if (one.trim() === "") throw new RangeError("it is empty");
}
