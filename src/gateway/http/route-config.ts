/** The `routes` of the configuration: which HTTP requests go to which subject, and what answers them. */
import { DEFAULT_LIMITS, MAX_TIMEOUT } from "../../message/limits.ts";
import {
  anyValue,
  checked,
  duration,
  either,
  hinted,
  integer,
  list,
  map,
  oneOf,
  option,
  record,
  size,
  text,
  written,
  type Field,
} from "../../schema/fields.ts";
import { compileRoute, type ConstantAnswer, type RouteOptions } from "./route-options.ts";
import { RouteTrie } from "./routes.ts";

const headerText = (): Field<string> => hinted(written(), { title: "a header's value" });

const headers = record(
  hinted(either("text, or a list of texts", headerText(), list(headerText())), { title: "a header's value" }),
);

const answer = (title: string): Field<ConstantAnswer> =>
  map<ConstantAnswer>(title, {
    status: option("the status, 200 to 599", integer(200, 599), "202 for `reply`, 200 for `fallback`"),
    headers: option("headers by name; a list repeats a header", headers),
    body: option("text, or any other value, which is sent as JSON", anyValue()),
  });

const route = map<RouteOptions>(
  "a route",
  {
    method: option(
      "one or a list, in upper case",
      either("text, or a list of texts", text(), list(text())),
      "any",
    ),
    path: option("literal segments, `{name}` for one segment, a final `{name...}` for one or more", text()),
    subject: option("may contain `{name}` of the path", text()),
    mode: option(
      "`request` waits for a worker's answer, `publish` answers `reply` at once, `app` passes everything at and below the path to a [web app](web-apps.md)",
      oneOf(["request", "publish", "app"]),
      "`request`",
    ),
    body: option(
      "`stream` gives the worker the body as a stream, as it arrives",
      oneOf(["whole", "stream"]),
      "`whole`",
    ),
    bodyLimit: option(
      "maximum size of a streamed body: with `body: stream` or `mode: app`",
      size(Number.MAX_SAFE_INTEGER),
      "1 GiB",
    ),
    timeout: option("timeout of this route's requests", duration(), "`http.timeout`"),
    reply: option(
      "the answer of a publish route: `status`, `headers`, `body`",
      answer("reply"),
      "status 202",
    ),
    fallback: option(
      "the answer of a request route if no worker is available: `status`, `headers`, `body`",
      answer("fallback"),
    ),
  },
  ["path", "subject"],
);

/** What the HTTP gateway would refuse is reported for the route, where there is a line to point at. */
export const routes: Field<RouteOptions[]> = checked(list(route), (all, findings, isSound) => {
  const trie = new RouteTrie();
  for (const [index, one] of all.entries()) {
    if (!isSound(index)) continue;
    try {
      trie.add(compileRoute(one, index, { timeoutMs: MAX_TIMEOUT, bodyLimit: DEFAULT_LIMITS.payload }));
    } catch (error) {
      findings.add(error instanceof Error ? error.message : String(error), [index]);
    }
  }
});
