/** The `commands` of the configuration. Loaded only where a file, variables or flags are read. */
import {
  duration,
  either,
  hinted,
  integer,
  list,
  literal,
  map,
  option,
  scalar,
  size,
  subjectPattern,
  textLike,
  turned,
  type Field,
} from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { hosts, origins, tls } from "../../transport/config.ts";
import { LISTEN_FORM, PATH, urlOf, type CommandsFileOptions } from "./options.ts";

const MAX_COUNT = 2 ** 31 - 1;

/** A URL, an address or a port. */
const listenAt = (): Field<string> =>
  scalar(
    LISTEN_FORM,
    { type: "integer", minimum: 0, maximum: 65_535 },
    { type: "string", pattern: "^\\s*(?:(?:ws|wss|tcp|tls)://.+|(?:[^/]+:)?\\d{1,5})\\s*$" },
    (given) => {
      try {
        return urlOf(typeof given === "string" ? given.trim() : given);
      } catch {
        return undefined;
      }
    },
  );

const PATH_FORM = "a path such as /socket, or false";
const pathOrNone = (): Field<string | false> => either(PATH_FORM, literal(false), textLike(PATH_FORM, PATH));

const patterns = (): Field<string[]> => list(hinted(subjectPattern(), { title: "a pattern" }));

const options = map<CommandsFileOptions>(
  "commands",
  {
    listen: option(
      "ports of its own: URLs such as `ws://127.0.0.1:12000`, `tcp://127.0.0.1:12001`, or `wss` and `tls` with certificates",
      either(
        "a URL, or a list of URLs",
        turned(listenAt(), (only) => [only]),
        list(listenAt()),
      ),
      "none: only the HTTP port",
    ),
    path: option(
      "path of WebSockets on the HTTP port, and on ports of its own; `false`: not on the HTTP port",
      pathOrNone(),
      "`/socket`",
    ),
    stats: option("path of the counters on these ports; `false` for none", pathOrNone(), "`/stats`"),
    serve: option("patterns whose requests go to connected clients", patterns(), "none"),
    broadcast: option(
      "patterns whose publications go to every connection that may subscribe to them",
      patterns(),
      "none",
    ),
    timeout: option("timeout of calls that name none", duration(), "`limits.timeout`"),
    maxCommand: option("maximum size of a command", size(MAX_COUNT), "`limits.payload` and 64 KiB"),
    maxConnections: option("connections at a time", integer(1, MAX_COUNT), "16,384"),
    maxPending: option(
      "calls of one connection that may be under way",
      integer(1, MAX_COUNT),
      "`limits.sessionInFlight`",
    ),
    concurrency: option(
      "requests that one client holds at a time",
      integer(1, MAX_COUNT),
      "`limits.concurrency`",
    ),
    tls: option("[certificates](#tls) of `wss` and `tls`", tls(), "`tls` of the file"),
    origins: option(
      "[web page origins](transports.md#origins) that may connect to ports of its own",
      origins(),
      "pages of the same host",
    ),
    hosts: option(
      "host names that ports of its own accept in addition to loopback names",
      hosts(),
      "none; with TLS off loopback all",
    ),
  },
  [],
  { lintel: { short: "listen" } },
);

export const section: Section<CommandsFileOptions> = {
  schema: option(
    "The gateway for programs that speak DRS: `true` for the HTTP port alone, a URL, a list of URLs, or a map. Without it there is none.",
    either(
      "true, a URL, a list of URLs, or a map",
      turned(literal(true), () => ({})),
      turned(listenAt(), (only) => ({ listen: [only] })),
      turned(list(listenAt()), (listen) => ({ listen })),
      options,
    ),
  ),
  help: "With --commands, programs that speak DRS connect to that URL, and to /socket on the HTTP port.",
  examples: ["lintel serve --commands ws://127.0.0.1:12000 --commands tcp://127.0.0.1:12001"],
  flags: [
    {
      flag: "--commands <url>",
      about: "URL for programs that speak DRS (ws, wss, tcp, tls); may be repeated",
      path: ["commands", "listen"],
      isRepeatable: true,
    },
  ],
};
