import { watch, type FSWatcher } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { FileConfig } from "../config/config.ts";
import { readConfigFile } from "./config-file.ts";
import { printFailure } from "./failure.ts";
import { note } from "./note.ts";

/** Editors write a file in several steps: it is read when it has been the same for so long. Milliseconds. */
const QUIET_MS = 150;
/**
 * The file is also looked at by itself: a directory that is swapped by a symbolic link, a file that is mounted by itself and
 * a network's file system announce nothing. Milliseconds.
 */
const POLL_MS = 500;
const ABSENT = "absent";

/** Reads a manifest again when it has changed. One with mistakes, or with nothing in it, is reported and changes nothing. */
export class ManifestWatch {
  readonly #file: string;
  readonly #onChange: (config: FileConfig) => void;
  readonly #readAgain: () => Promise<FileConfig>;
  readonly #watcher: FSWatcher | undefined;
  readonly #poll: ReturnType<typeof setInterval>;
  #last: FileConfig;
  /** Which file it is, and in which state, as it was seen last; and as it was read last. */
  #seen: string | undefined;
  #read: string | undefined;
  #isAsked = false;
  #isLooking = false;
  #isClosed = false;

  /** `config` is what the file said when it was read; `read` reads it again. */
  constructor(
    file: string,
    config: FileConfig,
    onChange: (config: FileConfig) => void,
    read: () => Promise<FileConfig> = () => readConfigFile(file),
  ) {
    this.#readAgain = read;
    this.#file = file;
    this.#last = config;
    this.#onChange = onChange;
    this.#watcher = this.#watch();
    this.#poll = setInterval(() => this.#look(), POLL_MS);
    this.#poll.unref();
    this.check(); // it may have changed since it was read
  }

  /** Reads the file soon; if a reload was `asked` for, it reports even if nothing has changed. */
  check(asked = false): void {
    this.#isAsked ||= asked;
    this.#read = undefined;
    this.#look();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    this.#watcher?.close();
  }

  /** Undefined where the system has no watches left: the file is found to have changed all the same, a little later. */
  #watch(): FSWatcher | undefined {
    const failed = ({ message }: Error): void =>
      note(`cannot watch ${this.#file}: ${message}; changes are seen a little later; SIGHUP reads it again`);
    try {
      // The directory is watched, as a file that is replaced is another file.
      return watch(dirname(resolve(this.#file)), () => this.#look()).on("error", failed);
    } catch (error) {
      failed(error as Error);
      return undefined;
    }
  }

  #look(): void {
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    void this.#settle().finally(() => {
      this.#isLooking = false;
    });
  }

  /** Reads the file if it is not as it was, once it does not change any more. */
  async #settle(): Promise<void> {
    this.#seen = await stateOf(this.#file);
    while (this.#seen !== this.#read && !this.#isClosed) {
      await new Promise<void>((done) => void setTimeout(done, QUIET_MS).unref());
      const now = await stateOf(this.#file);
      if (now === this.#seen) {
        this.#read = now;
        await this.#load(now);
        this.#seen = await stateOf(this.#file);
      } else this.#seen = now;
    }
  }

  /** Reads the file, and does what it says if it is still in this state. */
  async #load(state: string): Promise<void> {
    const read = await this.#readAgain().then(
      (next) => ({ next }),
      (error: unknown) => ({ error }),
    );
    if (this.#isClosed || (await stateOf(this.#file)) !== state) return;
    const asked = this.#isAsked;
    this.#isAsked = false;
    if ("error" in read) {
      printFailure(read.error);
      note("the manifest cannot be taken: everything goes on as before");
      return;
    }
    const { next } = read;
    if (next.services === undefined) {
      note(`${this.#file} has no services: everything goes on as before; \`services: {}\` ends them all`);
      return;
    }
    const changed = changedKeys(this.#last, next);
    if (changed.length === 0) {
      if (asked) note(`${this.#file} says the same as before`);
      return;
    }
    const hub = changed.filter((key) => key !== "services");
    if (hub.length > 0)
      note(`the hub keeps what it was started with until the next lintel up: ${hub.join(", ")}`);
    this.#last = next;
    this.#onChange(next);
  }
}

/** Two texts differ when the path leads to another file, or the file has been written to. */
async function stateOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return ABSENT; // what reads it tells why
  }
}

/** Top-level keys that differ. */
function changedKeys(one: FileConfig, other: FileConfig): string[] {
  const [before, after]: Readonly<Record<string, unknown>>[] = [{ ...one }, { ...other }];
  const keys = new Set([...Object.keys(before!), ...Object.keys(after!)]);
  return [...keys].filter((key) => JSON.stringify(before![key]) !== JSON.stringify(after![key]));
}
