import { parseArgs } from "node:util";

export const HELP = `Usage: npm run conformance -- [flags]

Runs the conformance suite over transports, topologies and codecs, and prints the matrix,
and then that of gateways with gateways.

  --only tcp,json   run these transports and codecs only; of a kind that is not named, all
  --topology NAME   run the topologies whose name contains this
  --gateways        run the matrix of gateways only
  --processes N     processes that run cells (default 2)
  --json FILE       also write every result to FILE
  --write           also write docs/CONFORMANCE.md; takes a whole matrix, and no failures
  --help            print this

Exits with 1 if a case failed that is not known to, or if a known failure passed.
`;

export interface Flags {
  readonly only: readonly string[];
  readonly topology: string;
  readonly gateways: boolean;
  readonly processes: number;
  readonly json: string | undefined;
  readonly write: boolean;
  readonly help: boolean;
}

const MOST_PROCESSES = 64;

/** Throws an error whose text is meant for the user. */
export function readFlags(argv: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string", default: "" },
      topology: { type: "string", default: "" },
      gateways: { type: "boolean", default: false },
      processes: { type: "string", default: "2" },
      json: { type: "string" },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const only = values.only.split(",").map((name) => name.trim());
  const processes = Number(values.processes);
  if (!Number.isInteger(processes) || processes < 1 || processes > MOST_PROCESSES)
    throw new Error(`--processes takes 1 to ${MOST_PROCESSES}, not "${values.processes}"`);
  if (values.gateways && (values.only !== "" || values.topology !== "" || values.json !== undefined))
    throw new Error("--gateways takes no --only, --topology or --json: they are about the other matrix");
  if (values.write && (values.only !== "" || values.topology !== ""))
    throw new Error("--write takes the whole matrix: leave --only and --topology out");
  return {
    only: only.filter((name) => name !== ""),
    topology: values.topology,
    gateways: values.gateways,
    processes,
    json: values.json,
    write: values.write,
    help: values.help,
  };
}
