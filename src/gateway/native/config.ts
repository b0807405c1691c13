/** The `listen` of the configuration: where sessions connect. Loaded only where a file, variables or flags are read. */
import { duration, either, list, map, option } from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { hosts, listenUrl, origins, tls } from "../../transport/config.ts";
import type { ListenAt } from "../../transport/transport.ts";

/** An entry as a file has it. */
type ListenEntry = Omit<ListenAt, "handshakeTimeoutMs">;

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
      "none; with TLS off loopback all",
    ),
    handshakeTimeout: option(
      "cut off a client that has not completed TLS and HTTP in this time",
      duration(),
      "`5s`",
    ),
  },
  ["url"],
);

export const section: Section<(string | ListenAt)[]> = {
  schema: option(
    "Where workers and clients connect: URLs, or maps with one.",
    list(either("text", listenUrl(), entry)),
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
