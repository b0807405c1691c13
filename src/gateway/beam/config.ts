/** The `beam` of the configuration. Loaded only where a file, variables or flags are read. */
import {
  boolean,
  duration,
  either,
  integer,
  map,
  oneOf,
  option,
  size,
  text,
  textLike,
  turned,
  type Field,
} from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { MODE, PLAIN_MODES, checkPrefix, type BeamFileOptions } from "./options.ts";

const MAX_COUNT = 65_536;

const path = (): Field<string> =>
  text(
    (given) => {
      if (given === "") throw new RangeError("it is empty");
    },
    { minLength: 1 },
  );

const options = map<BeamFileOptions>(
  "beam",
  {
    path: option("where the socket is created", path()),
    mode: option(
      "its permissions, in quotes: programs that may write to it may connect",
      textLike('permissions in quotes such as "0660"', MODE),
      '`"0600"`',
    ),
    prefix: option("put before every subject: `print` becomes `legacy.print`", text(checkPrefix)),
    plain: option(
      "send messages without an attachment to one worker; `publish`: to all subscribers",
      oneOf(PLAIN_MODES),
      "`request`",
    ),
    workers: option("let programs register as workers", boolean(), "`true`"),
    timeout: option("timeout of requests", duration(), "`limits.timeout`"),
    messageLimit: option("maximum size of a received message", size(2 ** 31 - 1), "`limits.payload`"),
    maxConnections: option("connections at a time", integer(1, MAX_COUNT), "64"),
    maxAttachments: option("attachments of one connection in use at a time", integer(1, MAX_COUNT), "64"),
    maxPending: option(
      "messages without an attachment that one connection may have under way",
      integer(1, MAX_COUNT),
      "256",
    ),
  },
  ["path"],
  { lintel: { short: "path" } },
);

export const section: Section<BeamFileOptions> = {
  schema: option(
    "The gateway for programs that speak beam: the path of its socket, or a map. Without it there is none.",
    either(
      "the path of a socket, or a map",
      turned(path(), (only) => ({ path: only })),
      options,
    ),
  ),
  help: "--beam creates a socket for programs that speak beam. Only its owner may use it.",
  examples: ["lintel serve --beam /run/user/1000/beam.sock"],
  flags: [
    { flag: "--beam <path>", about: "unix socket for programs that speak beam", path: ["beam", "path"] },
  ],
};
