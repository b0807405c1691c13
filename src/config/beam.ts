/** The `beam` of a config file: the gateway for programs that speak beam over a unix socket. */
import { PLAIN_MODES, checkPrefix, type BeamOptions } from "../gateway/beam/options.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";
import { boolean, duration, integer, map, oneOf, scalar, size, text, type Shape } from "./shape.ts";

const MAX_COUNT = 65_536;

/** Octal, as everywhere; YAML would read the digits as a decimal number. */
const mode = scalar("mode", 'permissions in quotes such as "0660"', (value) =>
  typeof value === "string" && /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : undefined,
);

const path = text("path", (given) => {
  if (given === "") throw new RangeError("it is empty");
});

const fields = map(
  "beam",
  {
    path,
    mode,
    prefix: text("prefix", checkPrefix),
    plain: oneOf("plain", PLAIN_MODES),
    workers: boolean("workers"),
    timeout: duration("timeout", MAX_TIMEOUT),
    messageLimit: size("messageLimit", 2 ** 31 - 1),
    maxConnections: integer("maxConnections", 1, MAX_COUNT),
    maxAttachments: integer("maxAttachments", 1, MAX_COUNT),
    maxPending: integer("maxPending", 1, MAX_COUNT),
  },
  ["path"],
);

/** A path, or a map with one and what else there is. */
export const beam: Shape<BeamOptions> = (node, report) => {
  if (node.kind !== "map") {
    const only = scalar("beam", "the path of a socket, or a map", (value) =>
      typeof value === "string" && value !== "" ? value : undefined,
    )(node, report);
    return only === undefined ? undefined : { path: only };
  }
  const { path: at, timeout, ...rest } = fields(node, report) ?? {};
  if (at === undefined) return undefined; // said already
  return { path: at, ...rest, ...(timeout === undefined ? {} : { timeoutMs: timeout }) };
};
