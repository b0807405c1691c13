/** Credentials that are no longer good: what is under way for them ends, and nothing else does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { createHub, type Hub, type HubConfig } from "../../src/hub/hub.ts";
import type { LintelError } from "../../src/message/failure.ts";
import { connect } from "../../src/peer/connect.ts";
import { TestAccess } from "../../src/testing/test-access.ts";
import { until } from "../house/until.ts";

const TEXT = { "content-type": "text/plain" };
const DATA = { "content-type": "application/octet-stream" };

interface Scene {
  readonly hub: Hub;
  readonly access: TestAccess;
  /** Why each request of the service "slow" has ended without an answer. */
  readonly canceled: string[];
  /** Requests that it has. */
  readonly held: () => number;
  readonly ask: (token: string, path: string, options?: Asked) => Asking;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Its body has no end yet. */
  readonly isOpen?: boolean;
  readonly url?: string;
}

interface Asking {
  readonly request: ClientRequest;
  readonly answer: Promise<IncomingMessage>;
}

async function withHub(run: (scene: Scene) => Promise<void>, config: HubConfig = {}): Promise<void> {
  const access = new TestAccess({ allows: () => true });
  await using hub = await createHub({
    listen: ["tcp://127.0.0.1:0"],
    http: { port: 0, routes: [{ method: "POST", path: "/upload", subject: "upload", body: "stream" }] },
    access,
    onError: () => undefined,
    ...config,
  });
  const canceled: string[] = [];
  let held = 0;
  await hub.serve(
    "slow",
    (_value, { signal }) =>
      new Promise((_resolve, reject) => {
        held++;
        signal.addEventListener("abort", () => {
          held--;
          canceled.push((signal.reason as LintelError).reason);
          reject(signal.reason as LintelError);
        });
      }),
  );
  const requests: ClientRequest[] = [];
  const ask: Scene["ask"] = (token, path, { method = "POST", headers = {}, body, isOpen, url } = {}) => {
    const request = httpRequest((url ?? hub.httpUrl!) + path, {
      method,
      agent: false,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    requests.push(request);
    request.on("error", () => undefined);
    const answer = once(request, "response").then(([response]) => response as IncomingMessage);
    answer.catch(() => undefined);
    if (isOpen === true) request.flushHeaders();
    else request.end(body);
    return { request, answer };
  };
  try {
    await run({ hub, access, canceled, held: () => held, ask });
  } finally {
    for (const request of requests) request.destroy();
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  answer.setEncoding("utf8");
  try {
    for await (const piece of answer) text += String(piece);
  } catch {
    return `${text}(broken off)`;
  }
  return text;
}

async function statusOf({ answer }: Asking): Promise<string> {
  const response = await answer;
  const text = await textOf(response);
  const { reason } = JSON.parse(text === "" ? "{}" : text) as { reason?: string };
  return `${response.statusCode} ${reason} ${response.headers["www-authenticate"]}`;
}

async function jobOf({ answer }: Asking): Promise<{ readonly id: string; readonly attempts: number }> {
  return JSON.parse(await textOf(await answer)) as { id: string; attempts: number };
}

const REFUSED = "401 UNAUTHENTICATED Bearer";

describe("when credentials are revoked", () => {
  test("an HTTP request under way is answered with 401, and its worker is told", async () => {
    await withHub(async ({ access, ask, canceled, held }) => {
      const theirs = ask("ada", "/slow");
      const others = ask("bob", "/slow");
      await until(() => held() === 2, "both requests");
      access.revoke("ada");
      assert.equal(await statusOf(theirs), REFUSED);
      await until(() => canceled.length === 1, "the signal");
      assert.deepEqual([canceled, held()], [["CALLER_GONE"], 1]);
      access.revoke("bob");
      assert.equal(await statusOf(others), REFUSED);
    });
  });

  test("others' requests on the same connection are answered", async () => {
    await withHub(async ({ hub, access, held }) => {
      await hub.serve("quick", () => "done");
      const { hostname, port } = new URL(hub.httpUrl!);
      const { connect: dial } = await import("node:net");
      const socket = dial(Number(port), hostname);
      let text = "";
      socket.setEncoding("utf8").on("data", (piece) => (text += String(piece)));
      const ask = (token: string, path: string): string =>
        `POST ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: 0\r\nAuthorization: Bearer ${token}\r\n\r\n`;
      socket.write(ask("ada", "/slow") + ask("bob", "/quick"));
      await until(() => held() === 1, "the first");
      access.revoke("ada");
      await until(() => text.includes("done"), "the answer to the other");
      assert.match(text, /^HTTP\/1.1 401 [^]*HTTP\/1.1 200 [^]*done$/);
      socket.destroy();
    });
  });

  test("a request whose body is on the way is answered with 401", async () => {
    await withHub(async ({ hub, access, ask }) => {
      const asking = ask("ada", "/slow", { isOpen: true, headers: { "content-length": "10" } });
      asking.request.write("half");
      await until(() => hub.stats().gateways["http"]?.["connections"] === 1, "the connection");
      await until(() => access.credentials.length === 1, "the head");
      access.revoke("ada");
      assert.equal(await statusOf(asking), REFUSED);
    });
  });

  test("an upload ends, for its caller and its worker", async () => {
    await withHub(async ({ hub, access, ask }) => {
      let ended: string | undefined;
      let received = 0;
      await hub.serve("upload", async (body) => {
        try {
          for await (const piece of body as AsyncIterable<Uint8Array>) received += piece.length;
        } catch (error) {
          ended = (error as LintelError).reason;
        }
      });
      const asking = ask("ada", "/upload", { isOpen: true, headers: DATA });
      asking.request.write("some of it");
      await until(() => received > 0, "a piece");
      access.revoke("ada");
      assert.equal(await statusOf(asking), REFUSED);
      assert.equal(await until(() => ended, "the end of the upload"), "CALLER_GONE");
    });
  });

  test("a streamed answer is broken off, and its worker is told", async () => {
    for (const accept of ["text/event-stream", "application/x-ndjson"])
      await withHub(async ({ hub, access, ask }) => {
        const ends: string[] = [];
        await hub.serve("ticks", async function* (who, { signal }) {
          try {
            yield `for ${who as string}`;
            await once(signal, "abort");
          } finally {
            ends.push(who as string);
          }
        });
        const theirs = ask("ada", "/ticks", { headers: { accept, ...TEXT }, body: "ada" });
        const others = ask("bob", "/ticks", { headers: { accept, ...TEXT }, body: "bob" });
        const [answer, other] = await Promise.all([theirs.answer, others.answer]);
        let isOver = false;
        other.on("close", () => (isOver = true)).resume();
        await once(answer, "readable");
        access.revoke("ada");
        const text = await textOf(answer);
        assert.match(text, /for ada/);
        assert.match(text, /UNAUTHENTICATED|broken off/);
        assert.deepEqual(await until(() => ends.length > 0 && ends, "the end of the generator"), ["ada"]);
        assert.equal(isOver, false);
      });
  });

  test("a stream of bytes is broken off", async () => {
    await withHub(async ({ hub, access, ask }) => {
      await hub.serve("bytes", () => {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        void writable.getWriter().write(new TextEncoder().encode("begin"));
        return readable;
      });
      const answer = await ask("ada", "/bytes").answer;
      await once(answer, "readable");
      access.revoke("ada");
      assert.equal(await textOf(answer), "begin(broken off)");
    });
  });

  test("a caller that does not read is cut off", async () => {
    await withHub(async ({ hub, access, ask }) => {
      await hub.serve("flood", () => {
        const piece = new Uint8Array(65_536);
        return new ReadableStream({ pull: (controller) => controller.enqueue(piece) });
      });
      const answer = await ask("ada", "/flood").answer;
      answer.pause();
      await until(() => answer.socket.bytesRead > 100_000);
      access.revoke("ada");
      await until(() => hub.stats().gateways["http"]?.["connections"] === 0, "the end of the connection");
    });
  });

  test("a kept answer is gone, whether it is there or not", async () => {
    await withHub(async ({ hub, access, ask, canceled, held }) => {
      await hub.serve("quick", () => "kept");
      const headers = { prefer: "respond-async" };
      const places: string[] = [];
      for (const [token, path] of [
        ["ada", "/slow"],
        ["ada", "/quick"],
        ["bob", "/quick"],
      ] as const)
        places.push((await ask(token, path, { headers }).answer).headers.location!);
      const waiting = ask("ada", "/slow", { headers: { prefer: "respond-async, wait=60" } });
      await until(() => held() === 2, "the requests");
      access.revoke("ada");
      assert.equal(await statusOf(waiting), REFUSED);
      await until(() => canceled.length === 2, "the signals");
      // Credentials that are good again do not bring them back.
      const outcomes: (number | undefined)[] = [];
      for (const [index, token] of ["ada", "ada", "bob"].entries())
        outcomes.push((await ask(token, places[index]!, { method: "GET" }).answer).statusCode);
      assert.deepEqual(outcomes, [404, 404, 200]);
    });
  });

  test("a poll is answered with 401, and one that came with an answer with none", async () => {
    await withHub(async ({ hub, access, ask }) => {
      const poll = { method: "GET" };
      const first = ask("ada", "/service/sum/jobs?wait=60s", poll);
      const asked = ask("bob", "/sum", { body: "1", headers: TEXT });
      const { id } = await jobOf(first);
      const next = ask("ada", `/jobs/${id}/response?next=1&wait=60s`, { body: "2" });
      assert.equal(await textOf(await asked.answer), "2");
      const second = ask("ada", "/service/sum/jobs?wait=60s", poll);
      const others = ask("bob", "/service/sum/jobs?wait=60s", poll);
      await until(() => hub.stats().gateways["jobs"]?.["polls"] === 3, "the polls");
      access.revoke("ada");
      assert.equal(await statusOf(second), REFUSED);
      assert.equal((await next.answer).statusCode, 204); // what it said of its job is taken
      await until(() => hub.stats().gateways["jobs"]?.["polls"] === 1, "the end of theirs");
      ask("bob", "/sum", { body: "3" });
      assert.equal((await jobOf(others)).attempts, 1);
    });
  });

  test("a job that a worker holds is lost, or goes to another", async () => {
    const jobs = { services: { again: { delivery: "at-least-once" } } } as const;
    await withHub(
      async ({ access, ask }) => {
        const outcomes: string[] = [];
        for (const service of ["once", "again"]) {
          const poll = (token: string): Asking =>
            ask(token, `/service/${service}/jobs?wait=60s`, { method: "GET" });
          const first = poll("ada");
          const asked = ask("bob", `/${service}`, { body: "1" });
          const { id } = await jobOf(first);
          const other = poll("carl");
          access.revoke("ada");
          if (service === "again") {
            const again = await jobOf(other);
            outcomes.push(`attempt ${again.attempts}`);
            await ask("carl", `/jobs/${again.id}/response`, { body: "2" }).answer;
            assert.equal(await textOf(await asked.answer), "2");
          } else outcomes.push(await statusOf(asked));
          outcomes.push(await statusOf(ask("ada", `/jobs/${id}/response`, { body: "3" })));
        }
        const late = "410 LEASE_EXPIRED undefined";
        assert.deepEqual(outcomes, ["502 WORKER_LOST undefined", late, "attempt 2", late]);
      },
      { jobs },
    );
  });

  test("a request through an app's own server ends as well", async () => {
    await withHub(async ({ hub, access, ask, held }) => {
      const handler = await hub.handler({ path: "/api" });
      const server = createServer((request, response) => handler.request(request, response));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
      try {
        const theirs = ask("ada", "/slow", { url });
        const fetched = handler.fetch(
          new Request(`${url}/slow`, { method: "POST", headers: { authorization: "Bearer ada" } }),
        );
        ask("bob", "/slow", { url });
        await until(() => held() === 3, "the requests");
        access.revoke("ada");
        assert.equal(await statusOf(theirs), REFUSED);
        assert.equal((await fetched).status, 401);
        await until(() => held() === 1, "the signals");
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    });
  });

  test("a service is gone at once, and what it held is lost", async () => {
    await withHub(async ({ hub, access }) => {
      const peer = await connect(hub.urls[0]!, { token: "ada", onError: () => undefined });
      let asked = 0;
      const service = await peer.serve("theirs", () => {
        asked++;
        return new Promise(() => undefined);
      });
      service.closed.catch(() => undefined);
      const asking = hub.request("theirs");
      asking.catch(() => undefined);
      await until(() => asked === 1, "the request");
      access.revoke("ada");
      await assert.rejects(hub.request("theirs"), { reason: "NO_RESPONDERS" });
      await assert.rejects(asking, { reason: "WORKER_LOST" });
      await peer.close();
    });
  });

  test("it is noticed however many others have come since", async () => {
    await withHub(async ({ access, ask, held, hub }) => {
      const theirs = ask("ada", "/slow");
      await until(() => held() === 1, "the request");
      for (let count = 0; count < 22; count++) {
        const batch = Array.from({ length: 50 }, (_, index) => {
          const headers = { authorization: `Bearer other-${count}-${index}` };
          return fetch(`${hub.httpUrl!}/nobody`, { headers }).then((answer) => answer.text());
        });
        await Promise.all(batch);
      }
      access.revoke("ada");
      assert.equal(await statusOf(theirs), REFUSED);
    });
  });

  test("those whose credentials are being looked at are looked at again", async () => {
    await withHub(async ({ access, ask }) => {
      access.slowDown();
      const asking = ask("ada", "/slow", { method: "GET" });
      await access.untilAsked();
      access.revoke("bob");
      access.answer();
      await until(() => access.credentials.length === 2, "the second look");
      asking.request.destroy();
    });
  });
});
