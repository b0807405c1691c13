import { parseArgs } from "node:util";
import { WORKLOADS, type WorkloadName } from "./workloads/workload.ts";
import type { Plan } from "./rounds.ts";
import { LEFT_OUT_BY, type Tool } from "./tools.ts";

export const HELP = `Usage: npm run bench -- [flags]

Compares Lintel with other ways to do the same work on this machine and prints ratios.

  --only W1,W3   run these workloads: W1 request/reply, W2 fan-out, W3 HTTP edge, W4 in process,
                 WS W1 over WebSocket, TR W1 and TF fan-out through the text gateway, ST streams,
                 NATS (settings of the NATS client; runs only when named)
  --rounds N     rounds per workload (default 7)
  --seconds S    seconds per measurement (default 0.5; wrk takes at least 1)
  --without nats,wrk  leave out what needs nats-server or wrk. Without it they are looked for, and installed if need be
  --quick        3 short rounds, about a minute in all, for a first impression
  --check        also hold the medians against the first goals; exit 1 if one is missed or could not be measured
  --raw          also print absolute figures, which mean nothing on another machine
  --markdown     print Markdown, for docs/BENCHMARKS.md
  --json FILE    also write everything measured to FILE
  --help         print this
`;

export interface Flags {
  readonly only: readonly WorkloadName[];
  readonly plan: Plan;
  /** Tools whose candidates are left out. */
  readonly without: readonly Tool[];
  readonly check: boolean;
  readonly raw: boolean;
  readonly markdown: boolean;
  readonly json: string | undefined;
  readonly help: boolean;
}

const FULL: Plan = { rounds: 7, seconds: 0.5 };
const QUICK: Plan = { rounds: 3, seconds: 0.2 };
const MOST_ROUNDS = 100;
const MOST_SECONDS = 60;
const DEFAULT_WORKLOADS: readonly WorkloadName[] = ["W1", "W2", "W3", "W4", "WS", "TR", "TF", "ST"];

/** Throws an error whose text is meant for the user. */
export function readFlags(argv: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      without: { type: "string" },
      quick: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      raw: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const base = values.quick ? QUICK : FULL;
  return {
    only: values.only === undefined ? DEFAULT_WORKLOADS : values.only.split(",").map(toWorkload),
    plan: {
      rounds: Math.ceil(toNumber("--rounds", values.rounds, base.rounds, MOST_ROUNDS)),
      seconds: toNumber("--seconds", values.seconds, base.seconds, MOST_SECONDS),
    },
    without: values.without === undefined ? [] : values.without.split(",").map(toTool),
    check: values.check,
    raw: values.raw,
    markdown: values.markdown,
    json: values.json,
    help: values.help,
  };
}

function toWorkload(text: string): WorkloadName {
  const name = WORKLOADS.find((known) => known === text.trim().toUpperCase());
  if (name === undefined) throw new Error(`--only takes ${WORKLOADS.join(", ")}, not "${text}"`);
  return name;
}

function toTool(text: string): Tool {
  const tool = LEFT_OUT_BY[text.trim().toLowerCase()];
  if (tool === undefined)
    throw new Error(`--without takes ${Object.keys(LEFT_OUT_BY).join(", ")}, not "${text}"`);
  return tool;
}

function toNumber(flag: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value > 0 && value <= most))
    throw new Error(`${flag} takes a number above 0 and up to ${most}, not "${text}"`);
  return value;
}
