/** Requests of web pages, and for names that are not the hub's: refused at every path before anything is executed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as requestBy, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { describe, test, type TestContext } from "node:test";
import { serveHttp } from "../../src/app/index.ts";
import type { HttpOptions } from "../../src/gateway/http/options.ts";
import type { RouteOptions } from "../../src/gateway/http/route-options.ts";
import { createHub, type Hub } from "../../src/index.ts";
import { RawCaller, reasonOf, type RawResponse } from "../gateway/http/harness.ts";
import { RawWebSocket } from "../transport/raw-websocket.ts";

const JOBS = { services: { work: {} } };
const PAGE = "https://app.example";
const routes: RouteOptions[] = [
  { path: "/app", subject: "app", mode: "app" },
  { method: "POST", path: "/events/{kind}", subject: "events.{kind}", mode: "publish" },
  { method: "PUT", path: "/files/{path...}", subject: "files", body: "stream" },
  { method: ["GET", "OPTIONS"], path: "/asked", subject: "asked" },
];

interface Site {
  readonly hub: Hub;
  readonly port: number;
  /** What has been executed. */
  readonly executed: string[];
}

interface Job {
  readonly id: string;
  readonly attempts: number;
}

type Start = (context: TestContext, http?: HttpOptions) => Promise<Site>;

async function serveAll(hub: Hub): Promise<string[]> {
  const executed: string[] = [];
  for (const subject of ["orders.create", "files", "asked"])
    await hub.serve(subject, () => {
      executed.push(subject);
      return "done";
    });
  await hub.serve("ticks", () => {
    executed.push("ticks");
    return (function* () {
      yield 1;
    })();
  });
  await hub.subscribe("events.*", (_value, { subject }) => void executed.push(subject));
  await serveHttp(hub, "app", (request: IncomingMessage, response: ServerResponse) => {
    executed.push(`app ${request.method}`);
    if (request.url === "/speaks") response.setHeader("access-control-allow-origin", "https://the.app");
    response.statusCode = request.method === "OPTIONS" && request.url !== "/speaks" ? 404 : 200;
    response.end("page");
  });
  return executed;
}

const HUBS: Readonly<Record<string, Start>> = {
  "a port": async (context, http = {}) => {
    const hub = await createHub({
      insecure: true,
      listen: [],
      jobs: JOBS,
      http: { port: 0, routes, ...http },
    });
    context.after(() => hub.close());
    return { hub, port: Number(new URL(hub.httpUrl!).port), executed: await serveAll(hub) };
  },
  "attached to a server": async (context, http = {}) => {
    const hub = await createHub({ listen: [], http: false, jobs: JOBS });
    const server = createServer((_request, response) => void response.end("the server's"));
    await hub.attach(server, { routes, jobs: true, defaultMapping: true, ...http });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    context.after(async () => {
      await hub.close();
      server.close();
      server.closeAllConnections();
    });
    return { hub, port: (server.address() as AddressInfo).port, executed: await serveAll(hub) };
  },
  "a function of a server": async (context, http = {}) => {
    const hub = await createHub({ listen: [], http: false, jobs: JOBS });
    const { request } = await hub.handler({ routes, jobs: true, ...http });
    const server = createServer(request).listen(0, "127.0.0.1");
    await once(server, "listening");
    context.after(async () => {
      await hub.close();
      server.close();
      server.closeAllConnections();
    });
    return { hub, port: (server.address() as AddressInfo).port, executed: await serveAll(hub) };
  },
};

/** Everything that can be asked for on a port. */
const TARGETS = [
  ...["GET /orders/create", "POST /orders/create", "HEAD /orders/create", "OPTIONS /orders/create"],
  ...["PUT /files/a/b", "POST /events/made", "GET /ticks", "GET /asked", "OPTIONS /asked"],
  ...["POST /app", "PUT /app/x", "OPTIONS /app/x", "GET /nobody/there", "GET /", "GET /a%20b"],
  ...["GET /service/work/jobs?wait=0", "POST /service/work", "POST /jobs", "POST /jobs/some-id"],
  ...["POST /jobs/some-id/error", "POST /jobs/some-id/lease?lease=1s", "DELETE /jobs/some-id"],
  ...["GET /.lintel/answers/some-id", "DELETE /.lintel/answers/some-id", "POST /.lintel/session"],
];

const FOREIGN: readonly string[] = [
  "Origin: https://evil.example",
  "Origin: null",
  "Origin: https://app.example.evil.example",
  "Origin: http://localhost",
  "Sec-Fetch-Site: cross-site",
  "Sec-Fetch-Site: same-site",
  "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image",
  "Referer: https://evil.example/page",
];

async function ask(port: number, line: string, headers: string, body = "a=b"): Promise<RawResponse> {
  const [method = ""] = line.split(" ", 1);
  const hasBody = method === "POST" || method === "PUT";
  const length = hasBody ? `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n` : "";
  const caller = new RawCaller(port);
  caller.send(`${line} HTTP/1.1\r\n${headers}\r\n${length}\r\n${hasBody ? body : ""}`);
  const response = await caller.response(method === "HEAD");
  caller.close();
  assert.ok(response !== undefined, line);
  return response;
}

for (const [name, start] of Object.entries(HUBS)) {
  // What leads nowhere goes on to the server that the hub is attached to.
  const targets =
    name === "attached to a server" ? TARGETS.filter((line) => !/ \/(?:a%20b)?$/.test(line)) : TARGETS;
  describe(name, () => {
    test("pages of other origins are refused at every path", async (context) => {
      const { port, executed } = await start(context, { origins: [PAGE] });
      const host = `Host: 127.0.0.1:${port}`;
      const own = ask(port, "POST /service/work", host); // a program's
      await Promise.all(
        targets.flatMap((line) =>
          FOREIGN.map(async (headers) => {
            const { status, body, headers: sent } = await ask(port, line, `${host}\r\n${headers}`);
            assert.equal(status, 403, `${line} ${headers}`);
            if (!line.startsWith("HEAD")) assert.equal(reasonOf(body), "FOREIGN_ORIGIN", line);
            assert.equal(sent.get("access-control-allow-origin"), undefined);
            assert.equal(sent.get("vary"), "Origin");
          }),
        ),
      );
      assert.deepEqual(executed, []);
      const job = JSON.parse((await ask(port, "GET /service/work/jobs?wait=5", host)).body) as Job;
      assert.equal(job.attempts, 1);
      assert.equal((await ask(port, `POST /jobs/${job.id}`, host)).status, 200);
      assert.equal((await own).status, 200);
    });

    test("names that are not the hub's are refused at every path", async (context) => {
      const { port, executed } = await start(context);
      const hosts = ["evil.example", `evil.example:${port}`, `127.0.0.1.nip.io:${port}`, "10.0.0.1"];
      await Promise.all(
        [...targets, "GET /app"].flatMap((line) =>
          hosts.map(async (host) => {
            for (const more of ["", `\r\nOrigin: http://${host}\r\nSec-Fetch-Site: same-origin`]) {
              const { status, body } = await ask(port, line, `Host: ${host}${more}`);
              assert.equal(status, 403, `${line} ${host}`);
              if (!line.startsWith("HEAD")) assert.equal(reasonOf(body), "FOREIGN_HOST", line);
            }
          }),
        ),
      );
      assert.deepEqual(executed, []);
    });

    test("programs, pages of the hub's own and pages that are listed are let in", async (context) => {
      const { port, executed } = await start(context, { origins: [PAGE], hosts: ["hub.example"] });
      const host = `Host: 127.0.0.1:${port}`;
      const letIn = [
        host,
        `Host: localhost:${port}`,
        `${host}\r\nReferer: http://127.0.0.1:${port}/app`,
        `${host}\r\nSec-Fetch-Site: none`,
        `${host}\r\nOrigin: http://127.0.0.1:${port}\r\nSec-Fetch-Site: same-origin`,
        `${host}\r\nOrigin: null\r\nSec-Fetch-Site: same-origin`,
        "Host: hub.example\r\nOrigin: https://hub.example\r\nSec-Fetch-Site: same-origin",
        `${host}\r\nOrigin: ${PAGE}\r\nSec-Fetch-Site: cross-site`,
        `${host}\r\nReferer: ${PAGE}/page\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image`,
      ];
      for (const headers of letIn) {
        executed.length = 0;
        for (const line of targets.filter((target) => !target.startsWith("OPTIONS"))) {
          if (line.includes("session")) continue;
          const { status } = await ask(
            port,
            line,
            headers + (line.startsWith("POST /service/work") ? "\r\nPrefer: wait=0" : ""),
          );
          assert.notEqual(status, 403, `${line} ${headers}`);
        }
        assert.ok(executed.length >= 7, `${headers}: ${executed.join()}`);
      }
    });
  });
}

test("a page that is listed may read answers, and is told beforehand that it may ask", async (context) => {
  const { port, executed } = await HUBS["a port"]!(context, { origins: [PAGE] });
  const page = `Host: 127.0.0.1:${port}\r\nOrigin: ${PAGE}`;
  const preflight =
    `${page}\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a,content-type\r\n` +
    "Access-Control-Request-Private-Network: true";
  for (const path of [
    "/orders/create",
    "/nobody",
    "/jobs/x",
    "/service/work/jobs",
    "/app/x",
    "/app/speaks",
    "/asked",
    "/files/a",
  ]) {
    const { status, headers } = await ask(port, `OPTIONS ${path}`, preflight);
    assert.equal(status, 204, path);
    assert.equal(headers.get("access-control-allow-origin"), PAGE);
    assert.equal(headers.get("access-control-allow-methods"), "PUT");
    assert.equal(headers.get("access-control-allow-headers"), "x-a,content-type");
    assert.equal(headers.get("access-control-allow-private-network"), "true");
    assert.equal(headers.get("access-control-allow-credentials"), undefined);
  }
  assert.deepEqual(executed, [], "the hub answers, and no worker is asked");
  for (const line of ["POST /orders/create", "GET /ticks", "GET /nobody", "GET /app/x", "POST /jobs/x"]) {
    const { headers } = await ask(port, line, page);
    assert.equal(headers.get("access-control-allow-origin"), PAGE, line);
    assert.equal(headers.get("access-control-expose-headers"), "*", line);
  }
  const { headers } = await ask(port, "GET /orders/create", `Host: 127.0.0.1:${port}`);
  assert.equal(headers.get("access-control-allow-origin"), undefined);
  assert.equal(headers.get("vary"), "Origin");
});

test("a link of another site leads to a web app, and to nothing else", async (context) => {
  const { port, executed } = await HUBS["a port"]!(context);
  const host = `Host: 127.0.0.1:${port}\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest:`;
  assert.equal((await ask(port, "GET /app/page", `${host} document`)).status, 200);
  assert.equal((await ask(port, "GET /app/page", `${host} iframe`)).status, 403);
  assert.equal((await ask(port, "POST /app/page", `${host} document`)).status, 403);
  assert.equal((await ask(port, "GET /orders/create", `${host} document`)).status, 403);
  assert.equal((await ask(port, "GET /service/work/jobs?wait=0", `${host} document`)).status, 403);
  assert.deepEqual(executed, ["app GET"]);
});

test("sessions: a foreign page, a foreign name, and a page of the hub's own", async (context) => {
  const { hub, port } = await HUBS["a port"]!(context, { origins: [PAGE] });
  const status = async (headers: Record<string, string>): Promise<number> => {
    const raw = await RawWebSocket.request(hub.sessionUrl!, headers);
    const head = await raw.head();
    raw.socket.destroy();
    return Number(head.split(" ")[1]);
  };
  assert.equal(await status({ Origin: PAGE }), 101);
  assert.equal(await status({ Origin: `http://127.0.0.1:${port}` }), 101);
  assert.equal(await status({ Origin: "https://evil.example" }), 403);
  assert.equal(await status({ "Sec-Fetch-Site": "cross-site" }), 403);
  assert.equal(await status({ Host: "evil.example", Origin: "http://evil.example" }), 403);
});

test("a port that other machines can reach takes addresses and the names that are configured", async (context) => {
  const hosts = ["hub.example"];
  const { hub, port } = await HUBS["a port"]!(context, { host: "0.0.0.0", origins: [PAGE], hosts });
  const url = hub.sessionUrl!.replace("0.0.0.0", "127.0.0.1");
  const headers = { Host: "evil.example", Origin: "http://evil.example" };
  const raw = await RawWebSocket.request(url, headers);
  assert.match(await raw.head(), / 403 /);
  raw.socket.destroy();
  const proxied = await ask(port, "POST /orders/create", "Host: hub.example\r\nOrigin: https://hub.example");
  assert.equal(proxied.status, 200);
  assert.equal((await ask(port, "POST /orders/create", "Host: evil.example")).status, 403);
  assert.equal((await ask(port, "POST /orders/create", "Host: 10.1.2.3")).status, 200);
  const plain = await HUBS["a port"]!(context, { host: "0.0.0.0" });
  for (const [host, status] of Object.entries({ "evil.example": 403, localhost: 200, "192.0.2.7": 200 }))
    assert.equal((await ask(plain.port, "POST /orders/create", `Host: ${host}`)).status, status, host);
});

test("a server on a Unix socket takes any name, and no foreign page", async (context) => {
  const hub = await createHub({ listen: [], http: false, jobs: JOBS });
  const { request } = await hub.handler();
  await hub.serve("greet", () => "hello");
  const socketPath = join(tmpdir(), `${randomUUID()}.sock`);
  const server = createServer(request).listen(socketPath);
  await once(server, "listening");
  context.after(async () => {
    await hub.close();
    server.close();
  });
  const status = async (headers: Record<string, string>): Promise<number | undefined> => {
    const asked = requestBy({ socketPath, path: "/greet", headers, agent: false }).end();
    const [response] = (await once(asked, "response")) as [{ statusCode?: number; resume(): void }];
    response.resume();
    return response.statusCode;
  };
  assert.equal(await status({ host: "anything.example" }), 200);
  assert.equal(await status({ host: "x", origin: "https://evil.example" }), 403);
});

test("the function for fetch: the page is looked at, and the name if there are hosts", async (context) => {
  const hub = await createHub({ listen: [], http: false, jobs: JOBS });
  context.after(() => hub.close());
  await hub.serve("greet", () => "hello");
  const any = await hub.handler();
  const listed = await hub.handler({ hosts: ["hub.example"], origins: [PAGE] });
  const status = async (
    handler: typeof any,
    host: string,
    headers: Record<string, string> = {},
  ): Promise<number> => (await handler.fetch(new Request(`http://${host}/greet`, { headers }))).status;
  assert.equal(await status(any, "whatever.example"), 200);
  assert.equal(await status(any, "a.example", { origin: "http://a.example" }), 200);
  assert.equal(await status(any, "a.example", { origin: "https://evil.example" }), 403);
  assert.equal(await status(listed, "hub.example", { origin: PAGE }), 200);
  assert.equal(await status(listed, "evil.example"), 403);
});
