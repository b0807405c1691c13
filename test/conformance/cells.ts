import { cellsOf, inProcessCells, type Cell } from "../../src/testing/index.ts";
import { CODECS, TRANSPORTS } from "./parts.ts";

/** The whole matrix. */
export function allCells(): Cell[] {
  return [...inProcessCells(CODECS), ...cellsOf({ transports: TRANSPORTS, codecs: CODECS })];
}

/** The cells of the parts that were named; of a kind none of which is named, all. Throws for a name of nothing. */
export function chooseCells(only: readonly string[], topology: string): Cell[] {
  const all = allCells();
  const transports = new Set(all.map((cell) => cell.transport.name));
  const codecs = new Set(all.map(({ codec }) => codec.name));
  for (const name of only) {
    if (!transports.has(name) && !codecs.has(name))
      throw new Error(`--only takes ${[...transports, ...codecs].join(", ")}, not "${name}"`);
  }
  const named = (known: ReadonlySet<string>, name: string): boolean =>
    only.includes(name) || !only.some((one) => known.has(one));
  const cells = all.filter(
    (cell) =>
      named(transports, cell.transport.name) &&
      named(codecs, cell.codec.name) &&
      cell.topology.name.includes(topology),
  );
  if (cells.length === 0) throw new Error("nothing of the matrix is left");
  return cells;
}

/** Every topology, in process included, over one transport and in one codec. */
export function topologyCells(): Cell[] {
  const [codec] = CODECS;
  const transport = TRANSPORTS.find(({ transport: { supports } }) => supports.remote);
  return allCells().filter(
    (cell) => cell.codec === codec && (cell.transport === transport || !cell.topology.supports.travels),
  );
}

/** Through a hub: every transport in one codec, every codec over the first transport and the first remote one. */
export function sliceCells(): Cell[] {
  const [codec] = CODECS;
  const wide = new Set([TRANSPORTS[0], TRANSPORTS.find(({ transport: { supports } }) => supports.remote)]);
  const covered = new Set(
    topologyCells().map(({ transport, topology }) => `${transport.name} ${topology.name}`),
  );
  return allCells().filter((cell) => {
    const { callerDials, workerDials, hubLink } = cell.topology.supports;
    if (!callerDials || !workerDials || hubLink) return false;
    if (cell.codec !== codec) return wide.has(cell.transport);
    return !covered.has(`${cell.transport.name} ${cell.topology.name}`);
  });
}
