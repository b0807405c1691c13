import { watch, type FSWatcher } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { FileConfig } from "../hub/config.ts";
import { readConfigFile } from "./config-file.ts";
import { printFailure } from "./failure.ts";
import { note } from "./hub-link.ts";

/** Editors write a file in several steps: it is read when they have been quiet for so long. Milliseconds. */
const QUIET_MS = 150;

/** Reads a manifest again when it has changed. One with mistakes is reported and changes nothing. */
export class ManifestWatch {
  readonly #file: string;
  readonly #onChange: (config: FileConfig) => void;
  readonly #watcher: FSWatcher | undefined;
  #last: FileConfig;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(file: string, config: FileConfig, onChange: (config: FileConfig) => void) {
    this.#file = file;
    this.#last = config;
    this.#onChange = onChange;
    this.#watcher = this.#watch();
  }

  /** Reads the file soon; when somebody has `asked`, it is told also if nothing has changed. */
  check(asked = false): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(asked), QUIET_MS);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  /** Undefined where the system has no watches left. */
  #watch(): FSWatcher | undefined {
    const failed = ({ message }: Error): void =>
      note(`cannot watch ${this.#file}: ${message}; SIGHUP reads it again`);
    // The directory is watched, as a file that is replaced is another file.
    const name = basename(this.#file);
    try {
      const watcher = watch(dirname(resolve(this.#file)), (_event, changed) => {
        if (changed === name) this.check();
      });
      return watcher.on("error", failed);
    } catch (error) {
      failed(error as Error);
      return undefined;
    }
  }

  async #read(asked: boolean): Promise<void> {
    let next: FileConfig;
    try {
      next = await readConfigFile(this.#file);
    } catch (error) {
      printFailure(error);
      note("the manifest has mistakes: everything goes on as before");
      return;
    }
    if (this.#isClosed) return;
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

/** Top-level keys that differ. */
function changedKeys(one: FileConfig, other: FileConfig): string[] {
  const [before, after]: Readonly<Record<string, unknown>>[] = [{ ...one }, { ...other }];
  const keys = new Set([...Object.keys(before!), ...Object.keys(after!)]);
  return [...keys].filter((key) => JSON.stringify(before![key]) !== JSON.stringify(after![key]));
}
