/** HTTP requests at a hub that asks for credentials. */
import assert from "node:assert/strict";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import type { Verb } from "../../src/access/access.ts";
import { createHub, type Hub, type HubConfig } from "../../src/hub/hub.ts";
import { TestAccess, type TestAccessOptions } from "../../src/testing/test-access.ts";

interface Scene {
  readonly hub: Hub;
  readonly access: TestAccess;
  /** What a service on everything, and a subscriber to everything, have seen. */
  readonly seen: string[];
  readonly call: (method: string, path: string, options?: Call) => Promise<Answer>;
}

interface Call {
  readonly token?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly challenge: string | null;
  readonly location: string | null;
  readonly text: string;
  readonly reason: string | undefined;
  readonly id: string | null;
}

async function withHub(
  options: TestAccessOptions,
  run: (scene: Scene) => Promise<void>,
  config: HubConfig = {},
): Promise<void> {
  const access = new TestAccess(options);
  const hub = await createHub({ listen: [], http: { port: 0 }, access, ...config });
  const seen: string[] = [];
  await hub.subscribe(">", (_value, { subject }) => void seen.push(`published ${subject}`));
  const call: Scene["call"] = async (method, path, { token, headers = {}, body } = {}) => {
    const answer = await fetch(hub.httpUrl! + path, {
      method,
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    const isProblem = answer.headers.get("content-type") === "application/problem+json";
    return {
      status: answer.status,
      challenge: answer.headers.get("www-authenticate"),
      location: answer.headers.get("location"),
      id: answer.headers.get("lintel-job-id") ?? answer.headers.get("job-id"),
      reason: isProblem ? (JSON.parse(text) as { reason: string }).reason : undefined,
      text,
    };
  };
  try {
    await run({ hub, access, seen, call });
  } finally {
    await hub.close();
  }
}

/** A service on everything, which writes down what it is asked. */
async function spyOn({ hub, seen }: Scene): Promise<void> {
  await hub.serve(">", (_value, { subject }) => {
    seen.push(`asked ${subject}`);
    return "answer";
  });
}

const only =
  (...verbs: Verb[]) =>
  (verb: Verb): boolean =>
    verbs.includes(verb);

const ROUTES = [
  { method: "POST", path: "/events", subject: "events", mode: "publish" },
  { method: "GET", path: "/any/thing", subject: "any" },
] as const;

describe("an HTTP request at a hub that asks for credentials", () => {
  test("is 401 without any that are good, whatever it asks for, and nobody hears of it", async () => {
    await withHub(
      { tokens: ["good"], allows: () => true },
      async (scene) => {
        await spyOn(scene);
        const paths: [string, string][] = [
          ["POST", "/a/b"],
          ["GET", "/a/b"],
          ["POST", "/events"],
          ["GET", "/any/thing"],
          ["GET", "/service/a.b/jobs?wait=0"],
          ["POST", "/service/a.b"],
          ["POST", "/jobs"],
          ["POST", "/jobs/1/response"],
          ["DELETE", "/jobs/1"],
          ["GET", "/.lintel/answers/1"],
          ["DELETE", "/.lintel/answers/1"],
          ["GET", "/"],
          ["OPTIONS", "/events"],
        ];
        for (const [method, path] of paths) {
          for (const token of [undefined, "bad"]) {
            const { status, challenge, reason } = await scene.call(method, path, {
              ...(token === undefined ? {} : { token }),
              ...(method === "POST" ? { body: "x" } : {}),
            });
            assert.deepEqual(
              [status, challenge, reason],
              [401, "Bearer", "UNAUTHENTICATED"],
              `${method} ${path}`,
            );
          }
        }
        assert.deepEqual([scene.seen, scene.access.asked], [[], []]);
        assert.equal(scene.hub.stats().requests, 0);
        assert.equal((await scene.call("POST", "/a/b", { token: "good", body: "x" })).status, 200);
      },
      { http: { port: 0, routes: ROUTES } },
    );
  });

  test("is 403 for what its sender may not do, and nobody hears of it", async () => {
    await withHub(
      {},
      async (scene) => {
        await spyOn(scene);
        const cases: [string, string, string][] = [
          ["POST", "/a/b", "request a.b"],
          ["POST", "/events", "publish events"],
          ["GET", "/any/thing", "request any"],
          ["GET", "/service/a.c/jobs?wait=0", "serve a.c"],
          ["POST", "/service/a.d", "request a.d"],
        ];
        for (const [method, path] of cases) {
          const body = method === "POST" ? { body: "x" } : {};
          const { status, challenge, reason } = await scene.call(method, path, body);
          assert.deepEqual([status, challenge, reason], [403, null, "PERMISSION_DENIED"], path);
        }
        const later = await scene.call("POST", "/a/e", { headers: { prefer: "respond-async" }, body: "x" });
        assert.equal(later.status, 403);
        assert.deepEqual(scene.seen, []);
        assert.deepEqual(
          scene.access.asked,
          [...cases.map(([, , asked]) => asked), "request a.e"].map((one) => `nobody ${one}`),
        );
      },
      { http: { port: 0, routes: ROUTES } },
    );
  });

  test("is checked for its own sender, though the path is known from others", async () => {
    await withHub({ allows: (_verb, _subject, { id }) => id === "one" }, async (scene) => {
      await spyOn(scene);
      const statuses: number[] = [];
      for (const token of ["one", "two", "one", "two"])
        statuses.push((await scene.call("POST", "/a/b", { token, body: "x" })).status);
      assert.deepEqual(statuses, [200, 403, 200, 403]);
      assert.deepEqual(scene.access.asked, ["one request a.b", "two request a.b"]);
    });
  });

  test("is refused when it has several Authorization headers, and as nobody's when it has another scheme", async () => {
    await withHub({ allows: () => true }, async ({ hub, access }) => {
      const send = (authorization: string[]): Promise<number> =>
        new Promise((resolve, reject) => {
          const sent = httpRequest(
            `${hub.httpUrl!}/a`,
            { headers: { authorization } as unknown as Record<string, string> },
            (answer: IncomingMessage) => {
              answer.resume();
              resolve(answer.statusCode!);
            },
          );
          sent.on("error", reject);
          sent.end();
        });
      assert.equal(await send(["Bearer one", "Bearer two"]), 400);
      assert.equal(await send(["Basic b25lOnR3bw=="]), 503);
      assert.deepEqual(
        access.credentials.map(({ gateway, token, remote }) => [gateway, token, remote]),
        [["http", undefined, "127.0.0.1"]],
      );
    });
  });

  test("a page's browser may ask beforehand without any", async () => {
    await withHub(
      { tokens: ["good"], allows: () => true },
      async ({ hub }) => {
        const answer = await fetch(`${hub.httpUrl!}/a`, {
          method: "OPTIONS",
          headers: { origin: "https://app.example", "access-control-request-method": "POST" },
        });
        assert.equal(answer.status, 204);
      },
      { http: { port: 0, origins: ["https://app.example"] } },
    );
  });

  test("gives no worker the credentials, which are the hub's to know", async () => {
    await withHub({ tokens: ["good"], allows: () => true }, async ({ hub, call }) => {
      await hub.serve("a", (_value, { headers }) => String(headers.has("authorization")));
      for (const name of ["authorization", "Authorization", "AUTHORIZATION"])
        assert.equal((await call("POST", "/a", { headers: { [name]: "Bearer good" } })).text, "false");
      const polling = fetch(`${hub.httpUrl!}/service/b/jobs?wait=10s`, {
        headers: { authorization: "Bearer good" },
      });
      call("POST", "/b", { token: "good" }).catch(() => undefined); // the hub is closed before it is answered
      assert.doesNotMatch(await (await polling).text(), /good/);
    });
    await using open = await createHub({ listen: [], http: { port: 0 } });
    await open.serve("a", (_value, { headers }) => headers.get("authorization"));
    const answer = await fetch(`${open.httpUrl!}/a`, { headers: { authorization: "Bearer theirs" } });
    assert.equal(await answer.text(), "Bearer theirs", "a hub that checks none hands on what is the app's");
  });

  test("waits until it is known who has sent it: its body is not read, and nothing happens", async () => {
    await withHub({ tokens: ["good"], allows: () => true, isSlow: true }, async (scene) => {
      await spyOn(scene);
      const size = 900_000;
      const calls = [
        scene.call("POST", "/a/b", { token: "good", body: "x".repeat(size) }),
        scene.call("POST", "/a/b", { token: "bad", body: "y" }),
      ];
      while (scene.access.waiting < 2) await scene.access.untilAsked().then(() => new Promise(setImmediate));
      assert.deepEqual(scene.seen, []);
      scene.access.answer();
      assert.deepEqual(
        (await Promise.all(calls)).map(({ status }) => status),
        [200, 401],
      );
      assert.deepEqual(scene.seen, ["asked a.b"]);
    });
  });

  test("waits until it is known whether it may be made", async () => {
    await withHub(
      { allows: (verb, subject) => verb === "publish" || subject === "a" },
      async (scene) => {
        await scene.hub.serve("a", () => "answer");
        scene.access.slowDown();
        const calls = ["/a", "/b", "/events"].map((path) => scene.call("POST", path, { body: "x" }));
        while (scene.access.waiting < 3) await new Promise((resolve) => setImmediate(resolve));
        scene.access.answer();
        while (scene.access.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
        assert.deepEqual(
          (await Promise.all(calls)).map(({ status }) => status),
          [200, 403, 202],
        );
        assert.deepEqual(scene.seen, ["published events"]);
      },
      { http: { port: 0, routes: ROUTES } },
    );
  });

  test("whose caller leaves meanwhile is made by nobody", async () => {
    await withHub({ allows: () => true, isSlow: true }, async (scene) => {
      await spyOn(scene);
      const sent = httpRequest(`${scene.hub.httpUrl!}/a`, {
        method: "POST",
        headers: { "content-length": "5" },
      });
      sent.on("error", () => undefined);
      const gone = new Promise((resolve) => sent.on("close", resolve));
      sent.write("x");
      await scene.access.untilAsked();
      sent.destroy();
      await gone;
      while (scene.hub.stats().gateways["http"]?.["connections"] !== 0)
        await new Promise((resolve) => setImmediate(resolve));
      scene.access.answer();
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(scene.seen, []);
    });
  });
});

describe("an answer that is fetched later", () => {
  test("is for whoever has asked, and for nobody else", async () => {
    await withHub({ allows: only("request") }, async ({ hub, call }) => {
      let finish: (value: string) => void = () => undefined;
      await hub.serve("slow", () => new Promise<string>((resolve) => (finish = resolve)));
      const asked = await call("POST", "/slow", { token: "one", headers: { prefer: "respond-async" } });
      assert.equal(asked.status, 202);
      const path = asked.location!;
      for (const token of ["two", undefined]) {
        for (const method of ["GET", "DELETE"]) {
          const other = await call(method, path, token === undefined ? {} : { token });
          assert.deepEqual([other.status, other.reason], [404, "NO_SUCH_ANSWER"]);
        }
      }
      assert.equal((await call("GET", path, { token: "one" })).status, 202);
      finish("done");
      let answer = await call("GET", path, { token: "one" });
      while (answer.status === 202) answer = await call("GET", path, { token: "one" });
      assert.deepEqual([answer.status, answer.text], [200, "done"]);
    });
  });
});

describe("a worker over HTTP", () => {
  test("gets jobs of what it may serve, and alone may answer them", async () => {
    const allows = (verb: Verb, subject: string, { id }: { id: string }): boolean =>
      verb === "request" || (verb === "serve" && subject === "sum" && id.startsWith("worker"));
    await withHub({ allows }, async ({ hub, access, call }) => {
      assert.equal((await call("GET", "/service/sum/jobs?wait=0", { token: "caller" })).status, 403);
      const polling = fetch(`${hub.httpUrl!}/service/sum/jobs?wait=10s`, {
        headers: { authorization: "Bearer worker-1", accept: "application/json" },
      });
      const asked = call("POST", "/sum", { token: "caller", body: "7" });
      const job = (await (await polling).json()) as { id: string };
      const answers = [
        ["POST", `/jobs/${job.id}/response`],
        ["POST", `/jobs/${job.id}/error`],
        ["POST", `/jobs/${job.id}/lease?lease=1s`],
        ["DELETE", `/jobs/${job.id}`],
      ] as const;
      for (const token of ["caller", "worker-2"])
        for (const [method, path] of answers) {
          const { status, reason } = await call(method, path, {
            token,
            ...(method === "POST" ? { body: "8" } : {}),
          });
          assert.deepEqual([status, reason], [404, "NO_SUCH_JOB"], `${token} ${path}`);
        }
      const several = await call("POST", "/jobs", {
        token: "worker-2",
        body: JSON.stringify([{ id: job.id, response: 9 }]),
      });
      assert.equal((JSON.parse(several.text) as { status: number }[])[0]!.status, 404);
      const { status } = await call("POST", `/jobs/${job.id}/response`, { token: "worker-1", body: "14" });
      assert.equal(status, 200);
      assert.equal((await asked).text, "14");
      assert.equal(access.asked.filter((one) => one === "worker-1 serve sum").length, 1);
    });
  });

  test("that waits is told when its credentials are no longer good", async () => {
    await withHub({ allows: () => true }, async ({ hub, access, call }) => {
      const polling = call("GET", "/service/sum/jobs?wait=60s", { token: "one" });
      while (hub.stats().gateways["jobs"]?.["polls"] !== 1)
        await new Promise((resolve) => setImmediate(resolve));
      access.revoke("one");
      assert.equal((await polling).status, 401);
    });
  });

  test("waits until it is known whether it may serve", async () => {
    await withHub({ allows: (_verb, subject) => subject === "sum" }, async ({ hub, access, call }) => {
      access.slowDown();
      const calls = [call("GET", "/service/sum/jobs?wait=0"), call("GET", "/service/other/jobs?wait=0")];
      while (access.waiting < 2) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(hub.stats().gateways["jobs"]?.["services"], 0);
      access.answer();
      assert.deepEqual(
        (await Promise.all(calls)).map(({ status }) => status),
        [204, 403],
      );
    });
  });
});

describe("the HTTP gateway in a server of an app", () => {
  test("asks as its own port does, in front of a server and as a function", async () => {
    await withHub({ tokens: ["good"], allows: (_verb, subject) => subject === "a" }, async ({ hub }) => {
      await hub.serve(">", () => "answer");
      const server = createServer((_request, response) => response.end("the app"));
      await hub.attach(server, { path: "/api" });
      const handler = await hub.handler({ path: "/api" });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      try {
        const asks: ((path: string, init: RequestInit) => Promise<Response>)[] = [
          (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
          (path, init) => handler.fetch(new Request(`http://app.example${path}`, init)),
        ];
        for (const ask of asks) {
          const statuses: number[] = [];
          for (const [path, token] of [
            ["/api/a", "good"],
            ["/api/b", "good"],
            ["/api/a", "bad"],
          ] as const)
            statuses.push((await ask(path, { headers: { authorization: `Bearer ${token}` } })).status);
          assert.deepEqual(statuses, [200, 403, 401]);
        }
        assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "the app");
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    });
  });
});
