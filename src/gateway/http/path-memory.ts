import type { Engine } from "../../engine/engine.ts";

/** Paths remembered: half of them in each of two generations, so that a flood of new paths costs no bookkeeping. */
const GENERATION = 500;
/** Tenants whose paths are remembered, besides the hub's own. */
const TENANTS = 64;

/** What the paths in use lead to, in one tenant: how fast a path is found tells nothing of what other tenants ask for. */
export class PathMemory<Found> {
  #young = new Map<string, Found>();
  #old = new Map<string, Found>();

  get(path: string): Found | undefined {
    const known = this.#young.get(path);
    if (known !== undefined) return known;
    const older = this.#old.get(path);
    if (older !== undefined) this.set(path, older);
    return older;
  }

  set(path: string, found: Found): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(path, found);
  }
}

/** Those of all tenants of a hub. */
export class PathMemories<Found> {
  readonly #main: Engine;
  readonly #ofMain = new PathMemory<Found>();
  readonly #ofTenants = new Map<Engine, PathMemory<Found>>();

  constructor(main: Engine) {
    this.#main = main;
  }

  /** Of the tenant with this engine. */
  of(engine: Engine): PathMemory<Found> {
    if (engine === this.#main) return this.#ofMain;
    let paths = this.#ofTenants.get(engine);
    if (paths !== undefined) return paths;
    if (this.#ofTenants.size >= TENANTS) this.#ofTenants.delete(this.#ofTenants.keys().next().value!);
    paths = new PathMemory<Found>();
    this.#ofTenants.set(engine, paths);
    return paths;
  }
}
