/** A hub with a gRPC gateway among its gateways: workers and callers of all kinds meet. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, createHub } from "../../src/index.ts";
import { Running } from "../cli/cli-process.ts";
import { until } from "../house/until.ts";
import { StockClient } from "../gateway/grpc/stock-client.ts";
import { root } from "../house/root.ts";
import { AUTHORITY, pair } from "../transport/certificates.ts";

const CLOSED = { http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] };
const client = new StockClient();
after(() => client.kill());

test("workers over gRPC, over a session and over HTTP share one subject, by load", async () => {
  await using hub = await createHub({ ...CLOSED, grpc: { port: 0 } });
  assert.match(hub.grpcUrl!, /^grpc:\/\/127\.0\.0\.1:\d+$/);
  const stock = client.call(hub.grpcUrl!);
  await stock.register("shared", { concurrency: 2 });
  await using native = await connect(hub.urls[0]!);
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  await native.serve("shared", () => released.then(() => "native"), { concurrency: 2 });
  const polling = Promise.all([1, 2].map(() => fetch(`${hub.httpUrl}/service/shared/jobs?wait=20s`)));
  await until(() => hub.stats().sessions === 1, "the session");
  const asking: Promise<string>[] = [];
  const ask = (): void => void asking.push(fetch(`${hub.httpUrl}/shared`).then((answer) => answer.text()));
  for (let index = 0; index < 6; index++) ask();
  const jobs = [await stock.job(), await stock.job()];
  for (const poll of await polling) {
    const { id } = (await poll.json()) as { id: string };
    await fetch(`${hub.httpUrl}/jobs/${id}`, { method: "POST", body: "polled" });
  }
  for (const { job } of jobs)
    stock.send({
      answer: { job, payload: Buffer.from("stock").toString("base64"), content_type: "text/plain" },
    });
  release();
  const answers = (await Promise.all(asking)).toSorted();
  assert.deepEqual(answers, ["native", "native", "polled", "polled", "stock", "stock"]);
  assert.deepEqual(hub.stats().grpc, { workers: 1, jobs: 0, refused: 0, rejected: 0, malformed: 0 });
});

test("a request over HTTP brings its method, path, parameters and headers, and has its status and headers", async () => {
  const routes = [{ method: "PUT", path: "/cats/{id}", subject: "cats.put" }];
  await using hub = await createHub({ ...CLOSED, http: { port: 0, routes }, grpc: { port: 0 } });
  const stock = client.call(hub.grpcUrl!);
  await stock.register("cats.put");
  const put = fetch(`${hub.httpUrl}/cats/7?a=b`, {
    method: "PUT",
    body: "meow",
    headers: { "x-cat": "Tom" },
  });
  const { job, headers, content_type: type, payload } = await stock.job();
  const named = Object.fromEntries(
    (headers as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
  );
  const { ":method": method, ":path": path, ":params": params, "x-cat": cat } = named;
  assert.deepEqual([method, path, params, cat], ["PUT", "/cats/7?a=b", "id=7", "Tom"]);
  assert.deepEqual([type, payload], ["text/plain;charset=UTF-8", Buffer.from("meow").toString("base64")]);
  const answered = {
    payload: "PGI+",
    content_type: "text/html",
    headers: [{ name: "x-by", value: "stock" }],
  };
  stock.send({ answer: { job, status: 201, ...answered } });
  const response = await put;
  assert.deepEqual(
    [
      response.status,
      response.headers.get("content-type"),
      response.headers.get("x-by"),
      await response.text(),
    ],
    [201, "text/html", "stock", "<b>"],
  );
});

test("with certificates it is TLS, which can be changed while it listens", async () => {
  await using hub = await createHub({
    http: false,
    listen: [],
    tls: pair("server"),
    grpc: { host: "localhost", port: 0 },
  });
  assert.match(hub.grpcUrl!, /^grpcs:\/\/localhost:\d+$/);
  const stock = client.call(hub.grpcUrl!, { echo: true, certificate: AUTHORITY });
  await stock.register("echo");
  assert.equal(await hub.request("echo", 7), 7);
  hub.reloadTls(hub.grpcUrl!, pair("renewed"));
  const again = client.call(hub.grpcUrl!, { certificate: AUTHORITY });
  await again.register("more");
  const clear = client.call(hub.grpcUrl!);
  assert.equal((await clear.ended()).code, "UNAVAILABLE");
});

test("a hub whose gRPC gateway cannot be opened does not start", async () => {
  await using hub = await createHub({ ...CLOSED, grpc: { port: 0 } });
  const { port } = new URL(hub.grpcUrl!);
  await assert.rejects(createHub({ ...CLOSED, grpc: { port: Number(port) } }), { code: "EADDRINUSE" });
  await assert.rejects(createHub({ ...CLOSED, grpc: { port: 1e9 } }), { code: "invalid_argument" });
  await assert.rejects(createHub({ ...CLOSED, grpc: { port: 0, maxStreams: 0 } }), /maxStreams/);
});

test("without @bufbuild/protobuf a hub runs as long as it has no gRPC gateway, and says what to install", async () => {
  const hooks = `export function resolve(name, context, next) {
    if (!name.startsWith("@bufbuild/")) return next(name, context);
    throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
  }`;
  const program = `
    import { register } from "node:module";
    register("data:text/javascript,${encodeURIComponent(hooks)}");
    const { createHub } = await import("./build/src/index.js");
    const hub = await createHub({ http: false, listen: [] });
    console.log(hub.grpcUrl);
    await createHub({ http: false, listen: [], grpc: { port: 0 } }).catch((error) => console.log(error.code, error.message));
  `;
  const args = ["--input-type=module", "--eval", program];
  const { stdout, stderr } = await new Running(process.execPath, args, { cwd: root }).ended;
  assert.equal(stderr, "");
  assert.match(
    stdout,
    /^undefined\nfailed_precondition the gRPC gateway needs a package: npm install @bufbuild\/protobuf\n$/,
  );
});
