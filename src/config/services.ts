/** The `services` of the configuration: what `lintel up` starts next to the hub, and how. None of it names a port. */
import { resolve } from "node:path";
import {
  boolean,
  checked,
  duration,
  either,
  hinted,
  integer,
  list,
  map,
  oneOf,
  option,
  record,
  subjectPattern,
  text,
  turned,
  written,
  type Field,
  type Findings,
} from "../schema/fields.ts";
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

/** What happens to a service that has ended by itself. */
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
const PROGRAMS = ["command", "work", "app"] as const;
const notEmpty = (): Field<string> =>
  text(
    (given) => {
      if (given.trim() === "") throw new RangeError("it is empty");
    },
    { pattern: "\\S" },
  );

const commandWord = (): Field<string> => hinted(written(), { title: "a word of command" });

/** A list is a program and its arguments; text is for the shell. */
const commandField = (): Field<readonly string[]> =>
  hinted(
    either(
      "text, or a list of words",
      turned(notEmpty(), (line) => ["/bin/sh", "-c", line]),
      checked(hinted(list(commandWord()), {}, { minItems: 1 }), (words, findings) => {
        if (words.length === 0) findings.add("command needs a program");
      }),
    ),
    { isShellText: true },
  );

const workField = checked(
  map<WorkDefinition>(
    "work",
    {
      subject: option("what it serves", subjectPattern()),
      command: option("what to start for each request", commandField()),
      lines: option("keep one process that speaks a line of JSON each way", boolean()),
      stream: option("the body and the answer are streams of bytes; not with `lines`", boolean()),
      queue: option("queue group", text()),
      concurrency: option("requests at a time", integer(1, 65_535)),
      type: option("content type of the answers", text()),
    },
    ["subject", "command"],
  ),
  ({ lines, stream, type }, findings) => {
    if (lines === true && type !== undefined)
      findings.add("type cannot be used with lines, whose answers are always JSON");
    if (lines === true && stream === true) findings.add("lines and stream exclude each other");
  },
);

const policy = (): Field<RestartPolicy["policy"]> => oneOf(["always", "on-failure", "never"]);

interface RestartFields {
  readonly policy?: RestartPolicy["policy"];
  readonly first?: number;
  readonly last?: number;
  readonly attempts?: number;
}

const restart: Field<RestartPolicy> = either(
  "one of always, on-failure, never",
  turned(policy(), (only) => ({ ...DEFAULT_RESTART, policy: only })),
  turned(
    map<RestartFields>("restart", {
      policy: option("when it is restarted", policy(), "`always`"),
      first: option("wait before the second start; it doubles", duration(), "`200ms`"),
      last: option("longest wait", duration(), "`10s`"),
      attempts: option("failures in a row after which it is given up", integer(1, MAX_ATTEMPTS), "never"),
    }),
    ({ policy: word = DEFAULT_RESTART.policy, first = DEFAULT_RESTART.firstMs, ...rest }, findings) => {
      const { last = Math.max(first, DEFAULT_RESTART.lastMs), attempts } = rest;
      if (last < first) findings.add("last must not be shorter than first");
      return { policy: word, firstMs: first, lastMs: last, ...(attempts === undefined ? {} : { attempts }) };
    },
  ),
);

const environment = checked(
  record(hinted(written(), { title: "a variable" }), {
    pattern: VARIABLE.source,
    not: { enum: [...OWN_VARIABLES] },
  }),
  (variables, findings) => {
    for (const name of Object.keys(variables)) {
      if (!VARIABLE.test(name))
        findings.add(`"${name}" is not the name of a variable: [A-Za-z_][A-Za-z0-9_]*`, [name], true);
      else if (OWN_VARIABLES.has(name)) findings.add(`${name} is set by lintel up`, [name], true);
    }
  },
);

interface ServiceFields {
  readonly command?: readonly string[];
  readonly work?: WorkDefinition;
  readonly app?: string;
  readonly subject?: string;
  readonly subjects?: readonly string[];
  readonly instances?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly restart?: RestartPolicy;
  readonly startTimeout?: number;
  readonly stopGrace?: number;
  readonly dependsOn?: readonly string[];
}

const service = map<ServiceFields>(
  "service *",
  {
    command: option(
      "a program that connects to the hub by itself. A list is the program and its arguments; a string is a command line for `/bin/sh`",
      commandField(),
    ),
    work: option(
      "turns any program into a worker, as [`lintel work`](cli.md#work) does: a map with `subject` and `command`, and optionally `lines` or `stream`, `queue`, `concurrency`, `type`",
      workField,
    ),
    app: option(
      "the path of a web app's module, which `lintel work-app` runs; it needs `subject`",
      notEmpty(),
    ),
    subject: option("what `app` serves", subjectPattern()),
    subjects: option(
      "an instance is [ready](#ready) once these subjects or patterns are served, or these subjects are pulled",
      list(hinted(subjectPattern(), { title: "a subject" })),
      "of `work` and `app`",
    ),
    instances: option(
      "the number of processes, 0 to 256; instances that serve the same subject share its requests",
      integer(0, MAX_INSTANCES),
      "1",
    ),
    environment: option(
      "variables on top of the environment of `lintel up`, [kept as written](configuration.md): `3.10` stays `3.10`",
      environment,
    ),
    directory: option(
      "the working directory; relative paths start at the directory of the file",
      notEmpty(),
      "that of the file",
    ),
    restart: option("[whether and when it is restarted](#when-it-ends)", restart, "`always`"),
    startTimeout: option("how long it may take to become ready", duration(), "`30s`"),
    stopGrace: option("the time between SIGTERM and SIGKILL", duration(), "`5s`"),
    dependsOn: option(
      "services that must be ready, in all their instances, before this one starts for the first time",
      list(hinted(text(), { title: "a service" })),
    ),
  },
  [],
  {
    oneOf: PROGRAMS.map((program) => ({ required: [program] })),
    dependencies: { app: ["subject"], subject: ["app"] },
  },
);

/** The services of a file in that folder, where its paths begin. */
export function services(folder: string): Field<ServiceDefinition[]> {
  return turned(
    checked(hinted(record(service, { pattern: NAME.source }), {}, { maxProperties: MAX_SERVICES }), checkAll),
    (all) => Object.entries(all).map(([name, fields]) => definition(folder, name, fields)),
  );
}

function checkAll(
  all: Readonly<Record<string, ServiceFields>>,
  findings: Findings,
  isSound: (name: PropertyKey) => boolean,
): void {
  const names = Object.keys(all);
  if (names.length > MAX_SERVICES) findings.add(`more than ${MAX_SERVICES} services`);
  for (const [name, fields] of Object.entries(all)) {
    if (!NAME.test(name)) {
      const form = "a-z, then a-z, 0-9, - or _, at most 32 characters";
      findings.add(`"${name}" is not a legal service name: ${form}`, [name], true);
      continue;
    }
    const trouble = typeof fields === "object" && fields !== null ? programTrouble(fields) : undefined;
    if (trouble !== undefined) {
      const path = [name, ...Object.keys(fields).slice(0, 1)];
      findings.add(`service ${name}${trouble}`, path, path.length > 1);
    }
    if (isSound(name) && trouble === undefined) checkDependencies(all, name, findings);
  }
}

/** What is wrong with the keys that say what is started. */
function programTrouble(fields: ServiceFields): string | undefined {
  const present = PROGRAMS.filter((key) => key in fields);
  if (present.length !== 1)
    return ` needs one of ${PROGRAMS.join(", ")}${present.length > 1 ? ", not several" : ""}`;
  const hasSubject = "subject" in fields;
  if (hasSubject === (present[0] === "app")) return undefined;
  return hasSubject
    ? `: "subject" is only for "app"; use "subjects" to say what a service serves`
    : `: "app" needs "subject"`;
}

function definition(folder: string, name: string, fields: ServiceFields): ServiceDefinition {
  const directory = resolve(folder, fields.directory ?? ".");
  const program = programOf(fields, directory);
  return {
    name,
    program,
    instances: fields.instances ?? 1,
    subjects: fields.subjects ?? (program.kind === "command" ? [] : [program.subject]),
    environment: fields.environment ?? {},
    directory,
    restart: fields.restart ?? DEFAULT_RESTART,
    startTimeoutMs: fields.startTimeout ?? DEFAULT_START_MS,
    stopGraceMs: fields.stopGrace ?? DEFAULT_GRACE_MS,
    dependsOn: fields.dependsOn ?? [],
  };
}

function programOf(
  { command, work, app = "", subject = "" }: ServiceFields,
  directory: string,
): ServiceProgram {
  if (command !== undefined) return { kind: "command", command };
  if (work !== undefined) return { kind: "work", ...work };
  return { kind: "app", module: resolve(directory, app), subject };
}

function checkDependencies(
  all: Readonly<Record<string, ServiceFields>>,
  name: string,
  findings: Findings,
): void {
  const names = Object.keys(all);
  const place = [name, "dependsOn"];
  for (const other of all[name]?.dependsOn ?? []) {
    if (names.includes(other)) continue;
    const meant = closest(other, names);
    findings.add(
      `there is no service "${other}"${meant === undefined ? "" : `; did you mean "${meant}"?`}`,
      place,
    );
  }
  if (reaches(all, name, name)) findings.add(`service ${name} depends on itself`, place);
}

/** True when following dependencies from one service leads to another. */
function reaches(all: Readonly<Record<string, ServiceFields>>, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const next of dependenciesOf(all[name])) {
      if (next === to) return true;
      if (!seen.has(next)) open.push(next);
      seen.add(next);
    }
  }
  return false;
}

/** Of any service, also of one that is wrong. */
function dependenciesOf(fields: ServiceFields | undefined): readonly string[] {
  const names: unknown = fields?.dependsOn;
  return Array.isArray(names) ? names : [];
}
