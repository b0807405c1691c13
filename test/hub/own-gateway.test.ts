/** Gateways that do not come along: one of the test's own, and the one that the guide shows. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import type { Gateway, GatewayContext, GatewayKind } from "../../src/gateway/gateway.ts";
import { createHub, type Hub, type HubConfig } from "../../src/index.ts";
import { root } from "../house/root.ts";

const CLOSED = { http: false, listen: [] } as const;

/** The program of the guide, which sees the package as its reader's would. */
async function lineKind(): Promise<GatewayKind> {
  const path = join(root, "examples", "line-gateway.js");
  const loaded = (await import(pathToFileURL(path).href)) as { readonly default: GatewayKind };
  return loaded.default;
}

class LineCaller implements Disposable {
  readonly socket: Socket;
  readonly #lines: AsyncIterator<string>;

  constructor(url: string) {
    this.socket = connect(Number(new URL(url).port), "127.0.0.1");
    this.#lines = createInterface({ input: this.socket })[Symbol.asyncIterator]();
  }

  send(text: string): this {
    this.socket.write(text);
    return this;
  }

  /** The next line; undefined when the connection ends. */
  async line(): Promise<string | undefined> {
    const { done, value } = await this.#lines.next();
    return done === true ? undefined : value;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const linesUrl = (hub: Hub): string => hub.gateways.find(({ name }) => name === "lines")!.urls[0]!;

test("the gateway of the guide serves lines, and is announced and counted with the others", async () => {
  await using hub = await createHub({ ...CLOSED, gateways: [await lineKind()] });
  assert.deepEqual(
    hub.gateways.map(({ name }) => name),
    ["native", "jobs", "lines", "http"],
  );
  assert.match(linesUrl(hub), /^lines:\/\/127\.0\.0\.1:\d+$/);
  await hub.serve("greet", ({ name }: { name: string }) => ({ hello: name }));
  using caller = new LineCaller(linesUrl(hub));
  caller.send('greet {"name":"Ada"}\r\nnobody\nno subject!\ngreet {"na').send('me":"Bob"}\n');
  const answers = [await caller.line(), await caller.line(), await caller.line(), await caller.line()];
  assert.deepEqual(answers, ['{"hello":"Ada"}', "! NO_RESPONDERS", "! NO_RESPONDERS", '{"hello":"Bob"}']);
  assert.deepEqual(hub.stats().gateways["lines"], { connections: 1, requests: 4 });
});

test("a caller of it that leaves is noticed in the worker", async () => {
  await using hub = await createHub({
    ...CLOSED,
    gateways: [{ kind: await lineKind(), options: { port: 0 } }],
  });
  const gone = new Promise<void>((resolve) => {
    void hub.serve("wait", (_value, { signal }) => {
      signal.addEventListener("abort", () => resolve());
      caller.socket.resetAndDestroy();
      return new Promise(() => undefined);
    });
  });
  using caller = new LineCaller(linesUrl(hub)).send("wait\n");
  await gone;
});

test("when the hub drains, its request under way is answered, and it takes no other", async () => {
  const hub = await createHub({ ...CLOSED, gateways: [await lineKind()] });
  const url = linesUrl(hub);
  let release: (value: string) => void = () => undefined;
  const entered = new Promise<void>((resolve) => {
    void hub.serve("slow", () => {
      resolve();
      return new Promise((answer) => (release = answer));
    });
  });
  using caller = new LineCaller(url).send("slow\n");
  using other = new LineCaller(url);
  await Promise.all([entered, once(other.socket, "connect")]);
  const drained = hub.drain();
  using late = new LineCaller(url);
  const [refused] = (await once(late.socket, "error")) as [NodeJS.ErrnoException];
  assert.equal(refused.code, "ECONNREFUSED");
  other.send("slow\n");
  assert.deepEqual([await other.line(), await other.line()], ["! DRAINING", undefined]);
  release("done");
  assert.deepEqual([await caller.line(), await caller.line()], ["done", undefined]);
  await drained;
});

/** A kind of gateway that notes what it is asked for. */
function notingKind(
  name: string,
  events: string[],
  own: Partial<Gateway> | ((context: GatewayContext) => Partial<Gateway>) = {},
): GatewayKind {
  const note = (event: string): void => void events.push(`${event} ${name}`);
  return {
    name,
    async open(context, options) {
      note(`open ${JSON.stringify(options)}`);
      return {
        name,
        urls: [`${name}://localhost`],
        stats: () => ({ seen: 1 }),
        drain: async () => note("drain"),
        close: async () => note("close"),
        ...(typeof own === "function" ? own(context) : own),
      };
    },
  };
}

test("gateways are opened in order, drained in the reverse order, and closed in order", async () => {
  const events: string[] = [];
  const one = notingKind("one", events);
  const two = notingKind("two", events, { closesAfterEngine: true });
  const three = notingKind("three", events, {
    streamsEnded: async (graceMs) => void events.push(`streams ${graceMs}`),
  });
  const hub = await createHub({ ...CLOSED, gateways: [one, { kind: two, options: { a: 1 } }, three] });
  await hub.drain({ streamGraceMs: 50 });
  assert.deepEqual(events, [
    "open {} one",
    'open {"a":1} two',
    "open {} three",
    "drain three",
    "drain two",
    "drain one",
    "streams 50",
    "close one",
    "close three",
    "close two",
  ]);
  await hub.close();
  assert.equal(events.length, 10, "what is closed is not closed again");
});

test("a gateway that does not drain in time is told why its requests end, and closed", async () => {
  const events: string[] = [];
  let finish: () => void = () => undefined;
  const stuck = notingKind("stuck", events, {
    drain: () => new Promise<void>((resolve) => (finish = resolve)),
    abandon: ({ reason }) => {
      events.push(`abandon ${reason}`);
      finish();
    },
  });
  const hub = await createHub({ ...CLOSED, gateways: [stuck] });
  await hub.drain({ graceMs: 1 });
  assert.deepEqual(events, ["open {} stuck", "abandon DRAINING", "close stuck"]);
});

test("what open() returns must be a gateway", async () => {
  const kind = { name: "empty", open: () => Promise.resolve(undefined) } as unknown as GatewayKind;
  await assert.rejects(createHub({ ...CLOSED, gateways: [kind] }), /"empty": open\(\) must return/);
});

test("one that fails to open closes those that are open", async () => {
  const events: string[] = [];
  const broken: GatewayKind = { name: "broken", open: () => Promise.reject(new Error("it cannot")) };
  const gateways = [notingKind("one", events), broken, notingKind("never", events)];
  await assert.rejects(createHub({ ...CLOSED, gateways }), /it cannot/);
  assert.deepEqual(events, ["open {} one", "close one"]);
});

test("one that fails to end is reported, and keeps no other from ending", async () => {
  const events: string[] = [];
  const failing = notingKind("failing", events, {
    drain: () => Promise.reject(new Error("cannot drain")),
    close: () => Promise.reject(new Error("cannot close")),
  });
  const errors: string[] = [];
  const onError = (error: unknown, where: string): void => void errors.push(`${where}: ${String(error)}`);
  const hub = await createHub({ ...CLOSED, gateways: [failing, notingKind("other", events)], onError });
  await hub.drain();
  assert.deepEqual(events, ["open {} failing", "open {} other", "drain other", "close other"]);
  assert.match(errors[0]!, /"failing".*cannot drain/);
  assert.match(errors[1]!, /"failing".*cannot close/);
});

test("certificates are given to the gateway whose URL it is", async () => {
  const given: string[] = [];
  const secure = notingKind("secure", [], {
    reload: (url) => {
      given.push(url);
      return url === "secure://localhost";
    },
  });
  await using hub = await createHub({ ...CLOSED, gateways: [secure] });
  hub.reloadTls("secure://localhost", {});
  assert.throws(() => hub.reloadTls("other://127.0.0.2", {}), /is not a URL of this hub/);
  assert.deepEqual(given, ["secure://localhost", "other://127.0.0.2"]);
});

test("a gateway puts paths of its own on the HTTP port", async () => {
  const version = notingKind("version", [], ({ port }) => {
    port.addApi({
      name: "version",
      needsPort: false,
      claims: (path) => path === "/version",
      take: (call) => call.answer(200, ["Content-Type", "text/plain"], "1.2.3"),
    });
    return {};
  });
  await using hub = await createHub({ http: { port: 0 }, listen: [], gateways: [version] });
  const response = await fetch(`${hub.httpUrl}/version`);
  assert.deepEqual([response.status, await response.text()], [200, "1.2.3"]);
  assert.equal((await fetch(`${hub.httpUrl}/versions`)).status, 503);
});

const WRONG: readonly (readonly [what: string, gateways: unknown, message: RegExp])[] = [
  ["no list", {}, /gateways is an object, it must be a list/],
  ["no kind", [5], /entry that must be a kind of gateway/],
  ["nothing", [null], /entry that must be a kind of gateway/],
  ["a name with a space", [{ ...notingKind("x", []), name: "a b" }], /entry that must be a kind of gateway/],
  ["two of one name", [notingKind("x", []), notingKind("x", [])], /two gateways named "x"/],
  ["the name of one that comes along", [notingKind("http", [])], /two gateways named "http"/],
];
for (const [what, gateways, message] of WRONG) {
  test(`${what} in place of a gateway is refused`, async () => {
    const config = { ...CLOSED, gateways } as HubConfig; // as those write who have no compiler
    await assert.rejects(createHub(config), (error: Error & { code?: string }) => {
      assert.equal(error.code, "invalid_argument");
      assert.match(error.message, message);
      return true;
    });
  });
}
