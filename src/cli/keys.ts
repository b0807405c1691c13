/** `lintel keys`: makes, lists, revokes and rotates the keys of a hub. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { VERBS, type Grants } from "../access/grants.ts";
import { createKey, sha256Of } from "../access/keys/key.ts";
import { ROLES, type Role } from "../access/rights.ts";
import type { Verb } from "../access/access.ts";
import type { KeyOptions } from "../access/access-options.ts";
import { isPattern } from "../message/subject.ts";
import { findConfigFile, readConfigFile } from "./config-file.ts";
import { CliError, Exit } from "./failure.ts";
import { note } from "./note.ts";
import { changeKeys, readKeys, type OpenKeys } from "./keys-file.ts";
import { printable } from "./paint.ts";

interface FileFlags {
  readonly file?: string;
  readonly config?: string;
}

interface CreateFlags extends FileFlags {
  readonly role: Role;
  readonly tenant?: string;
  readonly grant?: Record<string, string[]>;
  readonly deny?: Record<string, string[]>;
  readonly expires?: string;
  readonly json?: true;
}

const EXAMPLES = `
A key is printed once, and on stdout alone. The file has its SHA-256, so that nobody can read a key from it. A hub with
\`access: { keysFile: keys.yaml }\` in its lintel.yaml notices every change at once.

Examples:
  lintel keys create shop --role service --expires 90d
  lintel keys create page --role client --grant request=orders.> --deny request=orders.internal.>
  LINTEL_KEY=$(lintel keys create ci --role service --tenant build) lintel work test.run -- ./test.sh
  lintel keys list
  lintel keys rotate shop --overlap 7d
  lintel keys revoke shop --id 9f86d081`;

const ID_LENGTH = 8;
const DAY_MS = 86_400_000;
const LAST_DATE = Date.UTC(9999, 11, 31);
const UNITS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
};

export function define(command: Command): void {
  command.description("Make, list, revoke and rotate the keys of a hub.").addHelpText("after", EXAMPLES);
  const create = command
    .command("create")
    .description("make a key and print it, once")
    .argument("<name>", "names the principal", parseName);
  create
    .addOption(new Option("--role <role>", "what it is").choices([...ROLES]).makeOptionMandatory())
    .option("--tenant <tenant>", "its tenant (default: main)", parseTenant)
    .option(
      "--grant <verb=pattern>",
      "what it may do, in place of all that its role may; may be repeated",
      addGrant,
    )
    .option("--deny <verb=pattern>", "what it may not do, whatever else it may; may be repeated", addGrant)
    .option("--expires <time>", "when it ends: 90d, 12h, or a date such as 2027-01-31", parseExpiry)
    .option("--json", "print JSON");
  withFile(create).action((name: string, flags: CreateFlags) => createOne(name, flags));
  const list = command
    .command("list")
    .description("list the keys, which are not in the file themselves")
    .option("--json", "print JSON");
  withFile(list).action((flags: FileFlags & { readonly json?: true }) => listAll(flags));
  const revoke = command
    .command("revoke")
    .description("take back all keys of a name, or one of them")
    .argument("<name>");
  revoke.option("--id <id>", "the key with this id of `lintel keys list`", parseId);
  withFile(revoke).action((name: string, flags: FileFlags & { readonly id?: string }) =>
    revokeKeys(name, flags),
  );
  const rotate = command
    .command("rotate")
    .description("make another key of a name, and let the others end")
    .argument("<name>");
  rotate
    .option("--overlap <time>", "how long the others stay good", parseExpiry, inTime(DAY_MS))
    .option("--json", "print JSON");
  withFile(rotate).action(
    (name: string, flags: FileFlags & { readonly overlap: string; readonly json?: true }) =>
      rotateKeys(name, flags),
  );
}

function withFile(command: Command): Command {
  return command
    .option(
      "-f, --file <file>",
      "the file of keys (default: access.keysFile of lintel.yaml, or else keys.yaml)",
    )
    .option(
      "-c, --config <file>",
      "the config file that says which (default: lintel.yaml in this directory)",
    );
}

async function createOne(
  name: string,
  { role, tenant, grant, deny, expires, json, ...flags }: CreateFlags,
): Promise<void> {
  const path = await pathOf(flags);
  const key = createKey();
  const entry: KeyOptions = {
    name,
    role,
    ...(tenant === undefined ? {} : { tenant }),
    ...(grant === undefined ? {} : { grants: grant }),
    ...(deny === undefined ? {} : { deny }),
    created: new Date().toISOString(),
    ...(expires === undefined ? {} : { expires }),
    sha256: sha256Of(key),
  };
  await changeKeys(path, (file) => file.add(entry));
  tell(key, entry, path, json);
}

async function listAll({ json, ...flags }: FileFlags & { readonly json?: true }): Promise<void> {
  const path = await pathOf(flags);
  const keys = await readKeys(path);
  if (json === true)
    process.stdout.write(`${JSON.stringify(keys.map((key) => ({ id: idOf(key), ...key })))}\n`);
  else if (keys.length === 0) note(`${path} has no keys`);
  else process.stdout.write(table(keys, Date.now()));
}

async function revokeKeys(
  name: string,
  { id, ...flags }: FileFlags & { readonly id?: string },
): Promise<void> {
  const path = await pathOf(flags);
  const count = await changeKeys(path, (file) => {
    const found = placesOf(file, name).filter(
      (place) => id === undefined || file.keys[place]!.sha256.toLowerCase().startsWith(id),
    );
    if (found.length === 0) throw noSuchKey(name, path, id);
    for (const place of found.toReversed()) file.remove(place);
    return found.length;
  });
  note(`revoked ${count === 1 ? "one key" : `${count} keys`} of ${printable(name)} in ${path}`);
}

async function rotateKeys(
  name: string,
  { overlap, json, ...flags }: FileFlags & { readonly overlap: string; readonly json?: true },
): Promise<void> {
  const path = await pathOf(flags);
  const key = createKey();
  const entry = await changeKeys(path, (file) => {
    const places = placesOf(file, name);
    const newest = places.at(-1);
    if (newest === undefined) throw noSuchKey(name, path);
    const { expires: until, ...before } = file.keys[newest]!;
    for (const place of places) {
      const { expires } = file.keys[place]!;
      if (expires === undefined || Date.parse(expires) > Date.parse(overlap)) file.expire(place, overlap);
    }
    const next: KeyOptions = {
      ...before,
      ...lifetimeOf(before.created, until),
      created: new Date().toISOString(),
      sha256: sha256Of(key),
    };
    file.add(next);
    return next;
  });
  tell(key, entry, path, json);
  note(`the keys of ${printable(name)} before it are good until ${overlap}`);
}

/** A key that was made to last 90 days is followed by another that does. */
function lifetimeOf(created: string | undefined, expires: string | undefined): { readonly expires?: string } {
  const lastsMs = Date.parse(expires ?? "") - Date.parse(created ?? "");
  return lastsMs > 0 ? { expires: inTime(lastsMs) } : {}; // people write what they like into `created`
}

/** The key, which nobody can print again. */
function tell(key: string, entry: KeyOptions, path: string, json: true | undefined): void {
  process.stdout.write(
    json === true ? `${JSON.stringify({ id: idOf(entry), key, ...entry })}\n` : `${key}\n`,
  );
  note(`${path} has the digest of this key of ${printable(entry.name)}; the key itself is not shown again`);
}

async function pathOf({ file, config }: FileFlags): Promise<string> {
  if (file !== undefined) return file;
  const found = config ?? findConfigFile("lintel.yaml");
  const { access } = found === undefined ? {} : await readConfigFile(found, { environment: process.env });
  return access?.keysFile ?? "keys.yaml";
}

function placesOf({ keys }: OpenKeys, name: string): number[] {
  return [...keys.keys()].filter((place) => keys[place]!.name === name);
}

function noSuchKey(name: string, path: string, id?: string): CliError {
  const which = id === undefined ? "" : ` with the id ${printable(id)}`;
  const hint = "`lintel keys list` shows what there is";
  return new CliError(Exit.failed, "NOT_FOUND", `${path} has no key of ${printable(name)}${which}`, { hint });
}

function idOf({ sha256 }: KeyOptions): string {
  return sha256.slice(0, ID_LENGTH).toLowerCase();
}

const TITLES = ["ID", "NAME", "ROLE", "TENANT", "CREATED", "EXPIRES", "GRANTS"];

function table(keys: readonly KeyOptions[], now: number): string {
  const rows = keys.map((key) => [
    idOf(key),
    printable(key.name),
    key.role,
    key.tenant ?? "main",
    key.created?.slice(0, 10) ?? "-",
    key.expires === undefined
      ? "never"
      : Date.parse(key.expires) <= now
        ? `${key.expires.slice(0, 10)} (over)`
        : key.expires.slice(0, 16),
    [wordsOf(key.grants, ""), wordsOf(key.deny, "not ")].filter((text) => text !== "").join(", ") ||
      "its role's",
  ]);
  const widths = TITLES.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  return [TITLES, ...rows]
    .map(
      (row) =>
        `${row
          .map((text, at) => text.padEnd(widths[at]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function wordsOf(grants: Grants = {}, before: string): string {
  return Object.entries(grants)
    .flatMap(([verb, patterns = []]) => patterns.map((pattern) => `${before}${verb}=${pattern}`))
    .join(", ");
}

function parseName(text: string): string {
  if (text.length > 128 || text === "" || /[\p{C}\p{Zl}\p{Zp}]/u.test(text))
    throw new InvalidArgumentError("It must have 1 to 128 printable characters.");
  return text;
}

function parseTenant(text: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(text))
    throw new InvalidArgumentError("It must have 1 to 64 letters, digits, _ and -.");
  return text;
}

function addGrant(text: string, grants: Record<string, string[]> = {}): Record<string, string[]> {
  const [verb = "", pattern = ""] = text.split(/=(.*)/s);
  if (!VERBS.includes(verb as Verb) || !isPattern(pattern))
    throw new InvalidArgumentError(
      `It must be VERB=PATTERN, such as request=orders.>, with one of ${VERBS.join(", ")}.`,
    );
  return { ...grants, [verb]: [...(grants[verb] ?? []), pattern] };
}

/** A date, as ISO 8601. */
function parseExpiry(text: string): string {
  const [, amount, unit = ""] = /^(\d{1,6})([mhdwy])$/.exec(text) ?? [];
  const at = amount === undefined ? Date.parse(text) : Date.now() + Number(amount) * UNITS[unit]!;
  if (Number.isNaN(at))
    throw new InvalidArgumentError(
      "It must be a time such as 90d, 12h or 30m, or a date such as 2027-01-31.",
    );
  if (at <= Date.now()) throw new InvalidArgumentError("It must be in the future.");
  if (at > LAST_DATE) throw new InvalidArgumentError("It must be before the year 10000.");
  return new Date(at).toISOString();
}

/** All of what the list shows: of less, nothing at all even, several keys would be taken back at once. */
function parseId(text: string): string {
  if (!/^[0-9a-f]{8,64}$/i.test(text))
    throw new InvalidArgumentError(
      "It must have 8 to 64 hexadecimal digits, as `lintel keys list` shows them.",
    );
  return text.toLowerCase();
}

function inTime(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
