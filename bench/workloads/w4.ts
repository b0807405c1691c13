/** W4: a request whose handler lives in the same process, against awaiting an async function directly. */
import { against, type Entry, type Workload } from "./workload.ts";

function entry(of: "direct" | "lintel"): Entry {
  return {
    name: of,
    needs: [],
    open: async (tree) => {
      const role = await tree.fork({ is: "calls", of });
      return (load, seconds) => role.measure(load, seconds);
    },
  };
}

export const w4: Workload = {
  name: "W4",
  title: "request to a handler in the same process, sequential awaits, small JSON object",
  cases: [{ name: "in process", load: { kind: "call" } }],
  seconds: (wanted) => wanted,
  entries: [entry("direct"), entry("lintel")],
  tables: [
    {
      title: "time per call, ratio to a direct async call (less is better)",
      metric: "cost",
      columns: against("direct", ["lintel"]),
    },
  ],
};
