import { lackOf, type Case, type Cell, type Harness } from "./case.ts";
import { Fixture } from "./fixture.ts";
import { inTime } from "./in-time.ts";

export type Outcome =
  | { readonly status: "passed" }
  | { readonly status: "failed"; readonly why: string }
  | { readonly status: "unsupported"; readonly reason: string };

/** Of the text of an error. */
const MAX_LINES = 8;

/** Hubs and peers that a case acts on, and those to take down afterwards. */
interface Built {
  readonly fixture: Fixture;
  readonly parties: Awaited<ReturnType<Cell["topology"]["build"]>>;
}

/** Runs cases in one cell. Those that leave hubs and peers as they were share them. */
export class CellRun implements AsyncDisposable {
  readonly #cell: Cell;
  #shared: Built | undefined;
  #runs = 0;

  constructor(cell: Cell) {
    this.#cell = cell;
  }

  /** Never rejects: what a case throws is its outcome. */
  async attempt(one: Case): Promise<Outcome> {
    const reason = lackOf(one, this.#cell);
    if (reason !== undefined) return { status: "unsupported", reason };
    try {
      await this.run(one);
      return { status: "passed" };
    } catch (error) {
      return { status: "failed", why: describe(error) };
    }
  }

  /** Rejects with what the case throws, or when it takes too long. */
  async run(one: Case): Promise<void> {
    const built = one.alone === true ? await this.#build(one.limits) : (this.#shared ??= await this.#build());
    let sound = false;
    try {
      await inTime(one.run(this.#harness(built)), one.name);
      sound = true;
    } finally {
      if (built !== this.#shared) await takeDown(built, sound);
      else if (!sound) {
        this.#shared = undefined; // who knows what it left behind
        await takeDown(built, sound);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const built = this.#shared;
    this.#shared = undefined;
    if (built !== undefined) await takeDown(built, true);
  }

  async #build(limits?: Case["limits"]): Promise<Built> {
    const { transport, codec, topology } = this.#cell;
    const fixture = new Fixture(transport, codec, limits);
    try {
      const parties = await inTime(topology.build(fixture), "putting up hubs and peers");
      return { fixture, parties };
    } catch (error) {
      await fixture[Symbol.asyncDispose]().catch(() => undefined); // why it could not be built says more
      throw error;
    }
  }

  #harness({ fixture, parties }: Built): Harness {
    const { codec } = this.#cell;
    const run = ++this.#runs;
    fixture.errors.length = 0;
    return {
      ...parties,
      codec: codec.codec,
      errors: fixture.errors,
      subject: (name) => `case-${run}.${name}`,
      write: (n, text = "") => codec.write({ n, text }),
      read: (value) => codec.read(value),
    };
  }
}

/** The beginning of what was thrown, and the line of the case that threw it. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const at = error.stack?.split("\n").find((line) => /^\s+at .*\bcases\b/.test(line));
  return [...error.message.split("\n").slice(0, MAX_LINES), ...(at === undefined ? [] : [at.trim()])].join(
    "\n",
  );
}

/** After a failure the failure counts, not what follows from it. */
async function takeDown({ fixture }: Built, sound: boolean): Promise<void> {
  const down = inTime(fixture[Symbol.asyncDispose](), "closing hubs and peers");
  await (sound ? down : down.catch(() => undefined));
}
