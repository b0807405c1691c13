/**
 * Interleaving. In every round each case is measured once with every candidate, right after one another, so that what
 * the machine does meanwhile hits all of them; ratios are taken within a round and only then summarized.
 */
import type { Load, Metric, Sample } from "./load/sample.ts";

/** Enough for the compiler of every process to have seen the hot path. */
const LEAST_WARMING_SECONDS = 0.25;

/** One candidate, ready to be measured. */
export interface Contender {
  readonly name: string;
  measure(load: Load, seconds: number): Promise<Sample>;
}

/** One row of a table. */
export interface Case {
  readonly name: string;
  readonly load: Load;
}

export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
}

/** Ratios of one candidate to another over the rounds of a run. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** A contender that failed, with what it said. It takes no further part. */
export interface Dropout {
  readonly name: string;
  readonly reason: string;
}

export class Measurements {
  readonly dropouts: Dropout[] = [];
  readonly #samples = new Map<string, Sample[]>();

  add(test: Case, contender: string, round: number, sample: Sample): void {
    const key = keyOf(test, contender);
    const samples = this.#samples.get(key) ?? [];
    samples[round] = sample;
    this.#samples.set(key, samples);
  }

  samples(test: Case, contender: string): readonly Sample[] {
    return this.#samples.get(keyOf(test, contender)) ?? [];
  }

  /** Ratios of the rounds in which both were measured, or the figures if there is no base; undefined when there is none. */
  compare(test: Case, contender: string, base: string | undefined, metric: Metric): Spread | undefined {
    if (base === undefined) {
      return spreadOf(this.samples(test, contender).flatMap((sample) => sample[metric] ?? []));
    }
    const bases = this.samples(test, base);
    const ratios = this.samples(test, contender).flatMap((sample, round) => {
      const above = sample[metric];
      const below = bases[round]?.[metric];
      return above === undefined || below === undefined || below === 0 ? [] : [above / below];
    });
    return spreadOf(ratios);
  }
}

function keyOf(test: Case, contender: string): string {
  return `${test.name}\n${contender}`;
}

export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((one, other) => one - other);
  const [min] = sorted;
  const max = sorted.at(-1);
  const low = sorted[(sorted.length - 1) >> 1];
  const high = sorted[sorted.length >> 1];
  if (min === undefined || max === undefined || low === undefined || high === undefined) return undefined;
  return { min, median: (low + high) / 2, max };
}

/** Measures everything `plan.rounds` times, after a round that only warms up. */
export async function runRounds(
  cases: readonly Case[],
  contenders: readonly Contender[],
  plan: Plan,
  progress: (text: string) => void,
): Promise<Measurements> {
  const measurements = new Measurements();
  const racing = [...contenders];
  for (let round = -1; round < plan.rounds; round++) {
    const warming = round < 0;
    for (const test of cases) {
      progress(`${warming ? "warming up" : `round ${round + 1} of ${plan.rounds}`}: ${test.name}`);
      for (const contender of inOrderOf(round, racing)) {
        try {
          const sample = await contender.measure(
            test.load,
            warming ? Math.max(plan.seconds / 2, LEAST_WARMING_SECONDS) : plan.seconds,
          );
          if (!warming) measurements.add(test, contender.name, round, sample);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          measurements.dropouts.push({ name: contender.name, reason: `${test.name}: ${reason}` });
          racing.splice(racing.indexOf(contender), 1);
        }
      }
    }
  }
  return measurements;
}

/** Each round begins with another candidate, so that none always follows the same one. */
function inOrderOf(round: number, contenders: readonly Contender[]): Contender[] {
  const start = Math.max(0, round) % Math.max(1, contenders.length);
  return [...contenders.slice(start), ...contenders.slice(0, start)];
}
