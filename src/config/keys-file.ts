/** The file that `access.keysFile` names: read, checked as a configuration is, and read again when it changes. */
import { readFileSync, statSync, watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { keyList } from "../access/config.ts";
import type { KeyOptions } from "../access/access-options.ts";
import { LintelError } from "../message/failure.ts";
import { map } from "../schema/fields.ts";
import { parseDocument, type Problem } from "./document.ts";
import { IssueReporter } from "./issues.ts";
import { ReadySection } from "./sections.ts";
import { ValueReader } from "./values.ts";

/** How often a change is looked for where the system tells of none: in the folder of a link's target, on a network. Milliseconds. */
const POLL_MS = 50;
/** A file is read when it has not changed for so long, because a program may still write it. Milliseconds. */
const SETTLE_MS = 10;
/** It is read after so long even when it still changes. Milliseconds. */
const SETTLE_MOST_MS = 40;
/** 100,000 keys and what they may do. */
const MAX_VALUES = 2_000_000;

interface KeysFile {
  readonly keys?: readonly KeyOptions[];
}

const section = new ReadySection({ schema: map<KeysFile>("the file", { keys: keyList() }) });

/** The keys that a text of this file has. Rejects with `BAD_CONFIG` and every problem, as the configuration does. */
export async function parseKeysFile(source: string, name: string): Promise<readonly KeyOptions[]> {
  const document = await parseDocument(source, undefined, MAX_VALUES);
  const { root, report } = document;
  let file: KeysFile = {};
  if (root !== undefined && root.kind !== "map") report(root, 'the file must be a map with "keys"');
  else if (root !== undefined) {
    const values = new ValueReader(report, dirname(name), {});
    const { schema } = section.section;
    const outcome = await schema!["~standard"].validate(values.value(root, section.json, "the file"));
    const issues = new IssueReporter(values, report);
    if (outcome.issues === undefined) file = outcome.value as KeysFile; // as its schema says
    else
      for (const issue of outcome.issues)
        issues.report(issue, { node: root, schema: section.json, key: "the file", place: root });
  }
  const found = document.problems();
  if (found.length > 0) throw badFile(found, name);
  return file.keys ?? [];
}

function badFile(problems: readonly Problem[], name: string): LintelError {
  const lines = problems.map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`);
  return new LintelError("invalid_argument", lines.join("\n"), { reason: "BAD_CONFIG", details: problems });
}

export interface WatchOptions {
  /** Called with the keys at first, and whenever they have changed. */
  readonly onKeys: (keys: readonly KeyOptions[]) => void;
  /** Called when the file cannot be used. The keys that were good last stay. */
  readonly onError: (error: unknown) => void;
}

/**
 * Reads a file of keys again whenever it changes: written in place, replaced, or reached by another link. A file that is not
 * there has no keys; one that is removed later takes its keys with it. One that is emptied does not: a shell empties a file before
 * the program that writes it has begun.
 */
export class KeysFileWatch {
  readonly #path: string;
  readonly #options: WatchOptions;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  #text: string | undefined;
  /** Keys that are good now. */
  #count = 0;
  #isSettling = false;
  #isClosed = false;

  private constructor(path: string, options: WatchOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Rejects when the file is there and cannot be used. */
  static async open(path: string, options: WatchOptions): Promise<KeysFileWatch> {
    const file = new KeysFileWatch(path, options);
    file.#watchFolder(); // before it is read: a change in between is not missed
    try {
      await file.#read();
    } catch (error) {
      file.close();
      throw error;
    }
    file.#timer = setInterval(() => file.#look(), POLL_MS).unref();
    return file;
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    clearInterval(this.#timer);
  }

  /** Links lead from the folder: what is in it may change without the file's own name being told. */
  #watchFolder(): void {
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, () => this.#look());
      this.#watcher.on("error", () => this.#watcher?.close()); // it is still looked at from time to time
    } catch {
      // the folder is not there, or cannot be watched: it is looked at from time to time
    }
  }

  #look(): void {
    if (this.#isClosed || this.#isSettling || markOf(this.#path) === this.#seen) return;
    this.#isSettling = true;
    void this.#settle()
      .then(() => (this.#isClosed ? undefined : this.#read()))
      .catch((error: unknown) => this.#options.onError(error))
      .finally(() => (this.#isSettling = false));
  }

  /** Resolves when the file is no longer written. */
  async #settle(): Promise<void> {
    const end = performance.now() + SETTLE_MOST_MS;
    let mark: string;
    do {
      mark = markOf(this.#path);
      await pause(SETTLE_MS, undefined, { ref: false });
    } while (markOf(this.#path) !== mark && performance.now() < end);
  }

  async #read(): Promise<void> {
    this.#seen = markOf(this.#path);
    const text = readIfThere(this.#path);
    if (text === this.#text) return;
    this.#text = text;
    const keys = text === undefined ? [] : await parseKeysFile(text, this.#path);
    if (this.#isClosed) return;
    if (text?.trim() === "" && this.#count > 0)
      throw new Error(
        `${basename(this.#path)} is empty; its last keys stay good; \`keys: []\` takes them back`,
      );
    this.#count = keys.length;
    this.#options.onKeys(keys);
    if (text === undefined)
      this.#options.onError(
        new Error(`${basename(this.#path)} was removed, and its keys are not good any more`),
      );
  }
}

/** Differs when the file does, as far as that can be seen without reading it. */
function markOf(path: string): string {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) return "";
    return `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code); // reading it says what is wrong
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
