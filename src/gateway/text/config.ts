/** The `text` of the configuration. Loaded only where a file, variables or flags are read. */
import {
  duration,
  either,
  integer,
  list,
  literal,
  map,
  oneOf,
  option,
  scalar,
  text,
  turned,
  type Field,
} from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { hosts, origins, tlsOrNone } from "../../transport/config.ts";
import {
  GREETINGS,
  LISTEN_FORM,
  checkAddress,
  checkPath,
  type TextAddress,
  type TextFileOptions,
} from "./options.ts";

const MAX_COUNT = 65_536;

const ADDRESS = "^\\s*(?:wss?://)?(?:(?:\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+):)?\\d{1,5}/?\\s*$";

const address = (): Field<TextAddress> =>
  scalar(
    LISTEN_FORM,
    { type: "integer", minimum: 0, maximum: 65_535 },
    { type: "string", pattern: ADDRESS },
    (given) => {
      try {
        checkAddress(given);
        return given;
      } catch {
        return undefined;
      }
    },
  );

const options = map<TextFileOptions>(
  "text",
  {
    listen: option(
      "ports of its own, an address or a list: address or port, or a URL with `ws:` or `wss:`; port 0 picks a free one",
      either(`${LISTEN_FORM}, or a list`, address(), list(address())),
      "none",
    ),
    path: option(
      "its path on the HTTP port; `false`: it is not there",
      either("a path such as /text, or false", text(checkPath), literal(false)),
      "`/text`",
    ),
    greeting: option(
      "what a client is sent when its key is good: `two` texts, `MM OK` and its GUID, or `short`, `MM OK` alone",
      oneOf(GREETINGS),
      "`two`",
    ),
    timeout: option("timeout of requests that set none", duration(), "`limits.timeout`"),
    maxConnections: option("connections at a time", integer(1, MAX_COUNT), "`limits.sessions`"),
    tls: option(
      "[certificates](#tls) of its own ports, or `false` for none",
      tlsOrNone(),
      "`tls` of the file",
    ),
    origins: option(
      "origins of web pages that may connect to its own ports, or `*` for all",
      origins(),
      "pages of the same host and port",
    ),
    hosts: option(
      "names by which its own ports may be asked besides loopback names, such as that of a proxy, or `*` for all",
      hosts(),
      "on loopback none, with TLS all",
    ),
  },
  [],
  { lintel: { short: "listen" } },
);

export const section: Section<TextFileOptions> = {
  schema: option(
    "The gateway for programs that speak the text protocol of middleman: `true` for the HTTP port alone, an address, a list of addresses, or a map. Without it there is none.",
    either(
      "true, an address, a list of addresses, or a map",
      turned(literal(true), () => ({})),
      turned(address(), (listen) => ({ listen })),
      turned(list(address()), (listen) => ({ listen })),
      options,
    ),
  ),
  help: "With --text, programs that speak the text protocol of middleman connect to that address, and to /text on the HTTP port.",
  examples: ["lintel serve --text 127.0.0.1:8764"],
  flags: [
    {
      flag: "--text <host:port>",
      about: "address for programs that speak the text protocol; may be repeated",
      path: ["text", "listen"],
      isRepeatable: true,
    },
  ],
};
