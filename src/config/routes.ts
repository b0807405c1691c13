/** The `routes` of a config file: which HTTP requests go to which subject, and what answers them. */
import { compileRoute, type ConstantAnswer, type RouteOptions } from "../gateway/http/route-options.ts";
import { JsonText } from "../codec/json-text.ts";
import { RouteTrie } from "../gateway/http/routes.ts";
import { DEFAULT_LIMITS, MAX_TIMEOUT } from "../message/limits.ts";
import { jsonOf, type Report } from "./document.ts";
import { duration, integer, list, map, oneOf, record, size, text, written, type Shape } from "./shape.ts";

/** What the value is to a program, if its text is the same then; else the text itself. */
const anyValue: Shape<unknown> = (node) => {
  const inFile = jsonOf(node);
  const value: unknown = JSON.parse(inFile);
  return JSON.stringify(value) === inFile ? value : new JsonText(inFile);
};

const methods: Shape<string | string[]> = (node, report) =>
  node.kind === "list" ? list("method", text("method"))(node, report) : text("method")(node, report);

const headerValue: Shape<string | string[]> = (node, report) =>
  node.kind === "list"
    ? list("a header", written("a header's value"))(node, report)
    : written("a header's value")(node, report);

const answer = (what: string): Shape<ConstantAnswer> =>
  map(what, { status: integer("status", 200, 599), headers: record("headers", headerValue), body: anyValue });

const fields = map(
  "a route",
  {
    method: methods,
    path: text("path"),
    subject: text("subject"),
    mode: oneOf("mode", ["request", "publish", "app"]),
    body: oneOf("body", ["whole", "stream"]),
    bodyLimit: size("bodyLimit", Number.MAX_SAFE_INTEGER),
    timeout: duration("timeout", MAX_TIMEOUT),
    reply: answer("reply"),
    fallback: answer("fallback"),
  },
  ["path", "subject"],
);

/** The list of routes. What the HTTP gateway would refuse is reported here, where there is a line to point at. */
export const routes: Shape<RouteOptions[]> = (node, report) => {
  if (node.kind !== "list") return list("routes", fields)(node, report) && undefined;
  const trie = new RouteTrie();
  return node.items.flatMap((item, index) => {
    let sound = true;
    const note: Report = (place, message) => {
      sound = false;
      report(place, message);
    };
    const { path, subject, ...rest } = fields(item, note) ?? {};
    if (!sound || path === undefined || subject === undefined) return [];
    const route: RouteOptions = { ...rest, path, subject };
    try {
      trie.add(compileRoute(route, index, { timeoutMs: MAX_TIMEOUT, bodyLimit: DEFAULT_LIMITS.payload }));
    } catch (error) {
      report(item, error instanceof Error ? error.message : String(error));
    }
    return [route];
  });
};
