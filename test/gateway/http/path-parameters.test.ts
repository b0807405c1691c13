/** What of a path reaches a worker as a parameter. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHub, type HttpRequest } from "../../../src/index.ts";
import { openGateway, RawCaller, reasonOf, text } from "./harness.ts";

const routes = [
  { path: "/files/{path...}", subject: "files" },
  { path: "/file/{name}", subject: "files" },
  { path: "/at/{place}/app", subject: "app", mode: "app" },
] as const;

/** Pieces that leave a folder, or that some system reads so. */
const UNSAFE = [
  "..%2f..%2fetc%2fhostname",
  "%2e%2e%2fetc",
  "%2E%2E%2Fetc",
  ".%2e%2fetc",
  "a%2f..%2f..%2fetc",
  "a%2f..",
  "a%2f.%2fb",
  "..%5c..%5cetc",
  "..%5C",
  "a%5cb",
  "a\\b",
  "..\\etc",
  "%5c%5cserver%5cshare",
  "c:%5cwindows",
  "%2fetc%2fhostname",
  "%2Fetc",
  "%2f",
  "%2f%2fetc",
  "..%20",
  "..%20%2fetc",
  ".%20",
  "%20..",
  "...",
  "....",
  ".%20.",
  "..;",
  "..;%2fetc",
  ".;x",
  "..",
  ".",
  "%2e",
  "%2e%2e",
  ".%2E",
  "a%00",
  "..%00%2fetc",
  "a%0a",
  "a%0d%0ab",
  "a%09b",
  "a%1bb",
  "a%7f",
  "a%c2%85b",
  "%c0%ae%c0%ae%c0%afetc",
  "%c0%2e",
  "%e0%80%ae%e0%80%ae%2fetc",
  "%f0%80%80%ae",
  "%ed%a0%80",
  "%ff",
  "%",
  "%2",
  "%zz",
  "%u002e%u002e",
];

test("a piece of a path that leads elsewhere is refused", async (context) => {
  const gateway = await openGateway(context, { routes });
  const served = [gateway.serve("files", () => text("file")), gateway.serve("app", () => text("app"))];
  const caller = new RawCaller(gateway.port);
  for (const piece of UNSAFE)
    for (const path of [`/files/${piece}`, `/files/a/${piece}/b`, `/file/${piece}`, `/at/${piece}/app/x`]) {
      const response = await caller.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).response();
      assert.equal(response?.status, 400, path);
      assert.equal(reasonOf(response.body), "BAD_REQUEST", path);
    }
  caller.close();
  assert.deepEqual(
    served.map(({ jobs }) => jobs.length),
    [0, 0],
  );
});

test("what is decoded once is a worker's as it is, and an encoded slash separates nothing", async (context) => {
  await using hub = await createHub({ listen: [], http: { port: 0, routes } });
  const seen: (HttpRequest | undefined)[] = [];
  await hub.serve("files", (_value, { http }) => {
    seen.push(http);
  });
  const { port } = new URL(hub.httpUrl!);
  const caller = new RawCaller(Number(port));
  context.after(() => caller.close());
  const params = async (path: string): Promise<unknown> => {
    const response = await caller.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`).response();
    assert.equal(response?.status, 204, path);
    const http = seen.pop()!;
    assert.equal(http.path, path.split("?", 1)[0]);
    return http.params["path"] ?? http.params["name"];
  };
  for (const [path, expected] of [
    ["/files/a/b", "a/b"],
    ["/files/a%2Fb", "a%2Fb"],
    ["/files/a%2fb/c", "a%2Fb/c"],
    ["/files/a%2F", "a%2F"],
    ["/files/%252e%252e%252fetc", "%2e%2e%2fetc"],
    ["/files/%255c", "%5c"],
    ["/files/.hidden/..data/a..b/a./x...", ".hidden/..data/a..b/a./x..."],
    ["/files/%2ehidden%2f.git", ".hidden%2F.git"],
    ["/files/caf%C3%A9%20%26%3D%23%3F", "café &=#?"],
    ["/files/100%25", "100%"],
    ["/files/a+b", "a+b"],
    ["/files/~a;v=1", "~a;v=1"],
    ["/file/a%2Fb", "a/b"],
    ["/file/%252e%252e", "%2e%2e"],
    ["/files/a?x=..%2f..&y=%5c%2f", "a"],
  ] as const)
    assert.equal(await params(path), expected, path);
});

test("a web app gets its part of the path as it was sent", async (context) => {
  const gateway = await openGateway(context, { routes: [{ path: "/app", subject: "app", mode: "app" }] });
  const { jobs } = gateway.serve("app", () => text("app"));
  const caller = new RawCaller(gateway.port);
  for (const path of ["/app/%2Fetc", "/app/a%5Cb", "/app/a%2Fb?q=..%2f", "/app/...", "/app/x%2f..%2fy"]) {
    assert.equal(
      (await caller.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).response())?.status,
      200,
      path,
    );
    assert.ok(jobs.at(-1)?.head.includes(`:path:${path}\n`), path);
  }
  caller.close();
});
