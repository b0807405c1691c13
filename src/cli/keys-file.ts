/** Changes a file of keys: one change at a time, whole or not at all, with everything else in it as it was. */
import { dirname } from "node:path";
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Document, YAMLMap, YAMLSeq } from "yaml";
import type { KeyOptions } from "../access/access-options.ts";
import { LintelError } from "../message/failure.ts";
import { CliError, Exit, usage } from "./failure.ts";

/** How long another command may hold the file. Milliseconds. */
const PATIENCE_MS = 30_000;
const FIRST_LINE =
  "# Keys of a hub, written by `lintel keys`. It has digests only: no key can be read from it.\n";

/** A file of keys while it is changed. */
export interface OpenKeys {
  readonly keys: readonly KeyOptions[];
  add(key: KeyOptions): void;
  /** Removes the key at this place of `keys`. */
  remove(index: number): void;
  /** Sets when the key at this place ends. */
  expire(index: number, expires: string): void;
}

/** The keys of a file; none when it is not there. Rejects for a file that is wrong, as a hub would. */
export async function readKeys(path: string): Promise<readonly KeyOptions[]> {
  return parse(read(path) ?? "", path);
}

/** Changes a file, which is made if it is not there. Only one command at a time does. */
export async function changeKeys<T>(given: string, change: (keys: OpenKeys) => T): Promise<T> {
  const path = existsSync(given) ? realpathSync(given) : given; // a link to it stays one
  const lock = `${path}.lock`;
  const [yaml] = await Promise.all([import("yaml"), import("../config/keys-file.ts")]); // before others have to wait
  await take(lock);
  try {
    const text = read(path);
    const keys = [...(await parse(text ?? "", path))];
    const document = yaml.parseDocument(text ?? FIRST_LINE);
    const list = (): YAMLSeq<YAMLMap> => listOf(document);
    const result = change({
      keys,
      add: (key) => {
        list().add(document.createNode(key));
      },
      remove: (index) => void list().delete(index),
      expire: (index, expires) => list().get(index)?.set("expires", expires),
    });
    replace(path, document.toString({ lineWidth: 0 }));
    return result;
  } finally {
    rmSync(lock, { force: true });
  }
}

function listOf(document: Document): YAMLSeq<YAMLMap> {
  if (!document.has("keys") || document.get("keys") === null) document.set("keys", document.createNode([]));
  const list = document.get("keys") as YAMLSeq<YAMLMap>; // the text was checked
  list.flow = false;
  return list;
}

async function parse(text: string, path: string): Promise<readonly KeyOptions[]> {
  const { parseKeysFile } = await import("../config/keys-file.ts");
  try {
    return await parseKeysFile(text, path);
  } catch (cause) {
    if (!(cause instanceof LintelError)) throw cause;
    throw new CliError(Exit.usage, cause.reason, cause.message, { cause });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw usage(`cannot read ${path}: ${messageOf(cause)}`);
  }
}

/** A file beside the other, that only one can make. */
async function take(lock: string): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      closeSync(openSync(lock, "wx", 0o600));
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST")
        throw usage(`cannot write ${lock}: ${messageOf(cause)}`);
      if (Date.now() > until) {
        const hint = `if no other \`lintel keys\` runs, remove ${lock}`;
        throw new CliError(Exit.failed, "LOCKED", `${lock} is held by another command`, { hint, cause });
      }
    }
    await pause(20);
  }
}

/** On disk before it has the name, so that there is one whole file at every moment. Nobody else may read it. */
function replace(path: string, text: string): void {
  const next = `${path}.new`;
  rmSync(next, { force: true }); // one that a command left that was killed may have another mode
  const file = openSync(next, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
  if (process.platform === "win32") return; // it opens no folders
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder); // else a revoked key may be back after a power failure
  } finally {
    closeSync(folder);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
