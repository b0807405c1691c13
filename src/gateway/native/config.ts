/** The `listen` of the configuration: where sessions connect. Loaded only where a file, variables or flags are read. */
import { duration, either, hinted, list, map, option, turned } from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { hosts, listenUrl, origins, tls } from "../../transport/config.ts";
import type { ListenAt, TlsOptions } from "../../transport/transport.ts";

/** An entry as a file has it. */
interface ListenEntry {
  readonly url: string;
  readonly tls?: TlsOptions;
  readonly origins?: readonly string[];
  readonly hosts?: readonly string[];
  readonly handshakeTimeout?: number;
}

const entry = map<ListenEntry>(
  "an entry of listen",
  {
    url: option("such as `wss://0.0.0.0:4580`", listenUrl()),
    tls: option("[certificates](#tls), if the URL uses them", tls(), "`tls` of the file"),
    origins: option(
      "[web page origins](transports.md#origins) that may connect, if the URL is for browsers",
      origins(),
      "pages of the same host",
    ),
    hosts: option(
      "host names that are accepted in addition to loopback names",
      hosts(),
      "on loopback none, else all",
    ),
    handshakeTimeout: option(
      "cut off a client that has not completed TLS and HTTP in this time",
      duration(),
      "`5s`",
    ),
  },
  ["url"],
);

const listenAt = turned(entry, ({ handshakeTimeout, ...rest }): ListenAt => ({
  ...rest,
  ...(handshakeTimeout === undefined ? {} : { handshakeTimeoutMs: handshakeTimeout }),
}));

export const section: Section<(string | ListenAt)[]> = {
  schema: option(
    "Where workers and clients connect: URLs, or maps with one.",
    list(hinted(either("text", listenUrl(), listenAt), {})),
    "`tcp://127.0.0.1:4500`",
  ),
  flags: [
    {
      flag: "--listen <url>",
      about: "URL for workers and clients; may be repeated",
      path: ["listen"],
      isRepeatable: true,
    },
  ],
};
