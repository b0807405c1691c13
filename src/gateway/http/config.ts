/** The `http` of the configuration. Loaded only where a file, variables or flags are read. */
import {
  boolean,
  duration,
  either,
  integer,
  literal,
  map,
  option,
  size,
  turned,
} from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { MAX_HEADERS } from "../../message/limits.ts";
import { hostPort, hosts, origins, tlsOrNone } from "../../transport/config.ts";
import { HOST_PORT_FORM } from "../../transport/host-port.ts";
import type { AsyncAnswersFileOptions, HttpFileOptions } from "./options.ts";
import { routes } from "./route-config.ts";

const MAX_COUNT = 2 ** 31 - 1;

const asyncAnswers = map<AsyncAnswersFileOptions>("asyncAnswers", {
  max: option("answers pending or kept", integer(0, 2 ** 24), "4,096"),
  keep: option("how long an answer is kept until it is fetched", duration(), "`1m`"),
  maxBytes: option(
    "size of all kept answers together; past it the oldest are dropped",
    size(Number.MAX_SAFE_INTEGER),
    "64 MiB",
  ),
});

const options = map<HttpFileOptions>(
  "http",
  {
    listen: option("address or port; port 0 picks a free one", hostPort(), "`127.0.0.1:8500`"),
    bodyLimit: option("maximum size of a request body", size(2 ** 31 - 1), "`limits.payload`"),
    headerLimit: option(
      "maximum size of a request's headers, with its target",
      size(MAX_HEADERS),
      "`limits.headers`",
    ),
    urlLimit: option("maximum length of a request target", size(MAX_HEADERS), "8 KiB"),
    timeout: option("timeout of requests whose route sets none", duration(), "`limits.timeout`"),
    headersTimeout: option("the headers of a request have to arrive in this time", duration(), "`10s`"),
    requestTimeout: option("a whole request has to arrive in this time", duration(), "`30s`"),
    keepAlive: option("how long an idle connection is kept open", duration(), "`65s`"),
    stall: option("disconnect a caller that does not read its answer for this long", duration(), "`30s`"),
    maxPipelined: option("requests of one connection under way at a time", integer(1, 65_536), "64"),
    maxConnections: option("connections at a time", integer(1, MAX_COUNT), "65,536"),
    callerShare: option(
      "percentage of the shared bounds that [one caller](#what-one-caller-may-have) may use",
      integer(1, MAX_COUNT),
      "`limits.callerShare`",
    ),
    defaultMapping: option(
      "map paths without a route to subjects: `/orders/create` is `orders.create`",
      boolean(),
      "`true`",
    ),
    sessions: option(
      "let workers and clients connect [to the same port](http.md#sessions-on-the-same-port)",
      boolean(),
      "`true`",
    ),
    origins: option(
      'other [web page origins](http.md#web-pages) that may send requests: a list such as `https://app.example.com`, or `["*"]`',
      origins(),
      "the port's own pages",
    ),
    hosts: option(
      '[host names](http.md#host-names) that are accepted in addition to loopback names: a list such as `hub.example.com`, or `["*"]`',
      hosts(),
      "none; with TLS off loopback all",
    ),
    tls: option(
      "[certificates](#tls) of this gateway, or `false` for none",
      tlsOrNone(),
      "`tls` of the file",
    ),
    sseKeepAlive: option(
      "send a comment on an event stream that has been quiet this long",
      duration(),
      "`15s`",
    ),
    streamIdle: option(
      "abort a streamed answer whose worker sends nothing for this long",
      duration(),
      "never",
    ),
    streamGrace: option(
      "time that streamed answers have to end by themselves when the hub shuts down",
      duration(),
      "`5s`",
    ),
    asyncAnswers: option(
      "bounds on answers that are kept for [`Prefer: respond-async`](http.md#waiting-less-or-later)",
      asyncAnswers,
    ),
    routes: option("[routes](#routes), which may also stand at the top of the file", routes),
  },
  [],
  { lintel: { short: "listen" } },
);

export const section: Section<false | HttpFileOptions> = {
  schema: option(
    "The HTTP gateway: an address, a port alone (then on 127.0.0.1), a map, or `false` for none.",
    either(
      `${HOST_PORT_FORM}, or false, or a map`,
      literal(false),
      turned(hostPort(), (listen) => ({ listen })),
      options,
    ),
    "`127.0.0.1:8500`",
  ),
  flags: [
    {
      flag: "--http <host:port>",
      about: "address for HTTP requests, or off",
      path: ["http", "listen"],
      takesOff: true,
    },
  ],
  topLevel: ["routes"],
};
