/** What cases may need. Asked of the manifests of a cell's parts, never of their names. */
import type { Need } from "./case.ts";
import type { ValueKind } from "../../codec/codec.ts";
import type { TopologySupports } from "./topology.ts";

/** The codec carries values of these kinds. */
export function carries(...kinds: readonly ValueKind[]): Need {
  return {
    lack: ({ codec }) => {
      const carried = codec.codec.supports.kinds;
      if (carried.length === 0) return "values of the codec have a shape of their own";
      const missing = kinds.find((kind) => !carried.includes(kind));
      return missing === undefined ? undefined : `the codec carries no ${missing}`;
    },
  };
}

/** The codec carries this key, if it carries objects. */
export function carriesKey(key: string): Need {
  return {
    lack: ({ codec }) =>
      codec.codec.supports.refusedKeys?.includes(key) === true
        ? `the codec refuses the key ${key}`
        : undefined,
  };
}

export const STRICT: Need = {
  lack: ({ codec }) => (codec.codec.supports.strict ? undefined : "any bytes are a value of the codec"),
};

/** Messages travel, so that there are bytes. */
export const TRAVELS: Need = topology("travels", "nothing travels, values are handed over");
export const CALLER_DIALS: Need = topology("callerDials", "the caller has no connection of its own");
export const WORKER_DIALS: Need = topology("workerDials", "the worker has no connection of its own");
export const UPLINK: Need = topology("hubLink", "there are no two hubs");

function topology(what: keyof TopologySupports, lack: string): Need {
  return { lack: (cell) => (cell.topology.supports[what] ? undefined : lack) };
}
