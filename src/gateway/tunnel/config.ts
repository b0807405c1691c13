/** The `tunnel` of the configuration. Loaded only where a file, variables or flags are read. */
import { checkSubject } from "../../message/subject.ts";
import { duration, either, integer, list, literal, map, option, text, turned } from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { hostPort } from "../../transport/config.ts";
import type { TunnelEntrance } from "./options.ts";

const MAX_COUNT = 65_536;

const durationOrNone = either("a duration, or false", literal(false), duration());

const entrance = map<TunnelEntrance>(
  "tunnel",
  {
    listen: option("address or port; port 0 picks a free one", hostPort()),
    subject: option("what is exposed, such as `db.main`", text(checkSubject)),
    maxConnections: option("connections at a time", integer(1, MAX_COUNT), "1,024"),
    callerShare: option(
      "percentage of the connections that one address may have",
      integer(1, MAX_COUNT),
      "`limits.callerShare`",
    ),
    idleTimeout: option("close a connection that has been quiet this long", durationOrNone, "`1h`"),
    maxDuration: option(
      "close a connection after this long, whatever happens on it",
      durationOrNone,
      "never",
    ),
    connectTimeout: option("give up a connection that does not stand by then", duration(), "`10s`"),
  },
  ["listen", "subject"],
);

export const section: Section<TunnelEntrance[]> = {
  schema: option(
    "TCP ports that lead through the hub to targets which open none: a map, or a list of them. Without it there is none.",
    either(
      "a map, or a list of maps",
      turned(entrance, (only) => [only]),
      list(entrance),
    ),
  ),
};
