/** Every gateway, and how somebody outside tries each verb that it has. */
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect as dial, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Access, Verb } from "../../src/access/access.ts";
import type { Admission, Admitted } from "../../src/access/admission.ts";
import type { GatewayContext, GatewayKind } from "../../src/gateway/gateway.ts";
import type { HttpHandler } from "../../src/gateway/http/embedded.ts";
import { requestBytes } from "../../src/gateway/request-bytes.ts";
import { createHub, type Hub, type HubConfig } from "../../src/hub/hub.ts";
import { LintelError } from "../../src/message/failure.ts";
import { Message } from "../../src/message/message.ts";
import { connect } from "../../src/peer/connect.ts";
import { canPassDescriptors } from "../../src/transport/descriptors/libc.ts";
import { OriginalPeer, type OriginalEnd } from "../gateway/beam/original-peer.ts";
import { RawClient } from "../gateway/commands/raw-client.ts";
import { RawCall, said } from "../gateway/grpc/raw-call.ts";
import { until } from "../house/until.ts";
import { overText } from "./text-client.ts";

/** What somebody hears: "ok", or the reason of a failure, or what stands for that where a gateway says something else. */
export type Outcome = string;

/** The subjects that a client tries begin with one of these: a is requested, b served, c published, > subscribed to. */
export const PREFIXES = ["m", "e"] as const;
export type Prefix = (typeof PREFIXES)[number];

export interface Attempt {
  readonly token: string | undefined;
  readonly prefix: Prefix;
}

/** Somebody at a gateway. */
export interface Client {
  attempt(verb: Verb): Promise<Outcome>;
  close(): Promise<unknown> | void;
}

export interface Scene {
  readonly hub: Hub;
  /** What the service and the subscriber on everything have seen. */
  readonly seen: string[];
  /** What a gateway has reported. */
  readonly reported: string[];
  /** What workers of beam serve. */
  readonly served: Set<string>;
  readonly beamPath: string;
  readonly mine: Admission;
  readonly server: Server;
  readonly handler: HttpHandler;
  original: OriginalPeer | undefined;
}

export interface Gateway {
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** Rejects where it is not let in. */
  readonly open: (scene: Scene, attempt: Attempt) => Client | Promise<Client>;
  /** What is heard in place of a reason. */
  readonly says?: Readonly<Record<string, Outcome>>;
  /** Observers hear everything there from the start, and may say nothing: test/gateway/text/denied.test.ts has them. */
  readonly isForObserversToHear?: boolean;
  /** True where nobody can show credentials: all clients are the same. */
  readonly isNameless?: boolean;
  readonly skip?: string | false;
}

const skip: string | false = canPassDescriptors()
  ? false
  : "descriptors are passed on Linux with koffi installed";

export const reasonOf = (error: unknown): Outcome =>
  error instanceof LintelError ? error.reason : String(error);

const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

async function native(scheme: string, { hub }: Scene, { token, prefix }: Attempt): Promise<Client> {
  const url = hub.urls.find((one) => one.startsWith(`${scheme}:`))!;
  const peer = await connect(url, {
    onError: () => undefined,
    ...(token === undefined ? {} : { token }),
  });
  const attempts: Partial<Record<Verb, () => Promise<unknown>>> = {
    request: () => peer.request(`${prefix}.a`),
    open: () => peer.open(`${prefix}.a`),
    subscribe: () => peer.subscribe(`${prefix}.>`),
    serve: () => peer.serve(`${prefix}.b`, () => 1),
    // It has no answer: what comes behind it has one.
    publish: async () => {
      const { publications } = hub.stats();
      await peer.publish(`${prefix}.c`);
      await peer.subscribe("behind.it").catch(() => undefined);
      if (hub.stats().publications === publications) throw LintelError.of("PERMISSION_DENIED");
    },
  };
  return {
    attempt: (verb) => attempts[verb]!().then(() => "ok", reasonOf),
    close: () => peer.close(),
  };
}

type Ask = (path: string, init: RequestInit) => Promise<Response>;

/** Requests of HTTP; `paths` are what each verb is tried with. */
function overHttp(
  paths: Partial<Record<Verb, string>>,
  ask: (scene: Scene) => Ask,
  more: Record<string, string> = {},
): Gateway["open"] {
  return (scene, { token, prefix }) => ({
    async attempt(verb) {
      const [method, path] = paths[verb]!.replace("*", prefix).split(" ") as [string, string];
      const headers = { ...bearer(token), ...more };
      const body = method === "POST" ? { body: "x" } : {};
      const answer = await ask(scene)(path, { method, headers, ...body });
      const text = await answer.text();
      if (answer.ok) return "ok";
      assert.equal(answer.headers.get("www-authenticate"), answer.status === 401 ? "Bearer" : null);
      return `${answer.status} ${(JSON.parse(text) as { reason: string }).reason}`;
    },
    close: () => undefined,
  });
}

const onPort =
  ({ hub }: Scene): Ask =>
  (path, init) =>
    fetch(hub.httpUrl! + path, init);

/** Returns once the request has its outcome, which is kept. */
const later =
  (scene: Scene): Ask =>
  async (path, init) => {
    const answer = await onPort(scene)(path, init);
    const place = answer.headers.get("location");
    if (answer.status !== 202 || place === null) return answer;
    return until(async () => {
      const kept = await onPort(scene)(place, { headers: init.headers! });
      return kept.status === 202 ? undefined : kept;
    }, "the answer");
  };

const inServer =
  ({ server }: Scene): Ask =>
  (path, init) =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api${path}`, init);

const asFunction =
  ({ handler }: Scene): Ask =>
  (path, init) =>
    handler.fetch(new Request(`http://127.0.0.1/api${path}`, init));

/** The token in the URL, or none; over TCP by `auth.upgrade`. */
const overCommands =
  (scheme: "ws" | "tcp"): Gateway["open"] =>
  async ({ hub }, { token, prefix }) => {
    const url = hub.commandsUrls.find((one) => one.startsWith(`${scheme}:`))!;
    const isInUrl = scheme === "ws" && token !== undefined;
    const client = await RawClient.open(isInUrl ? `${url}?token=${encodeURIComponent(token)}` : url);
    const outcomeOf = ({ action, body }: { readonly action: string; readonly body?: unknown }): Outcome => {
      if (action === "drs.response") return "ok";
      const { reason, message = client.closeReason.split(":", 1)[0]! } = Object(body) as Record<
        string,
        string
      >;
      if (message === "Authentication required") return "UNAUTHENTICATED";
      return reason ?? (message.startsWith("No handlers for") ? "NO_RESPONDERS" : message);
    };
    if (!isInUrl && token !== undefined) {
      const outcome = outcomeOf(await client.call("auth.upgrade", token));
      if (outcome !== "ok") await client[Symbol.asyncDispose]();
      if (outcome !== "ok") throw LintelError.of(outcome as "UNAUTHENTICATED"); // it is a reason
    }
    const attempts: Partial<Record<Verb, readonly [action: string, body: unknown]>> = {
      request: [`${prefix}.a`, "x"],
      publish: ["lintel.publish", { action: `${prefix}.c`, body: "x" }],
      subscribe: ["lintel.subscribe", `${prefix}.>`],
      serve: ["lintel.serve", `${prefix}.b`],
    };
    return {
      attempt: async (verb) => outcomeOf(await client.call(...attempts[verb]!)),
      close: () => client[Symbol.asyncDispose](),
    };
  };

const overGrpc: Gateway["open"] = ({ hub }, { token, prefix }) => {
  const call = new RawCall(hub.grpcUrl!, bearer(token)).listen();
  return {
    async attempt() {
      const room = { case: "concurrency", value: 1 } as const;
      call.stream.write(said({ case: "register", value: { registration: 1, subject: `${prefix}.b`, room } }));
      let ended: string | undefined;
      void call.ended().then((status) => (ended = status));
      const first = await until(() => call.heard[0] ?? ended, "an answer");
      if (typeof first === "string") return first;
      const { message } = first;
      return message.case === "refused" ? message.value.failure!.reason : "ok";
    },
    close: () => call[Symbol.asyncDispose](),
  };
};

const overBeam: Gateway["open"] = async (scene, { prefix }) => {
  scene.original ??= new OriginalPeer();
  const connection = await scene.original.connect(scene.beamPath);
  const { served } = scene;
  const pattern = `${prefix}.b`;
  let end: OriginalEnd | undefined;
  return {
    async attempt(verb) {
      const message = verb === "serve" ? ["register", pattern] : [`${prefix}.a`];
      end = await connection.attach("RW", ...message).catch(() => undefined);
      let isOver = false;
      const heard = async (): Promise<Outcome> => {
        const answer = await end?.hears(); // it is closed, maybe before the message was sent
        return answer === undefined ? "closed" : answer[0] === "error" ? answer.at(-1)! : "ok";
      };
      // A worker that is allowed hears nothing until there is a request.
      const registered = async (): Promise<Outcome> => {
        await until(() => isOver || served.has(pattern), "the registration");
        return "ok";
      };
      const first = verb === "serve" ? Promise.race([heard(), registered()]) : heard();
      return first.finally(() => (isOver = true));
    },
    async close() {
      await end?.leave().catch(() => undefined); // it is closed already where it is not let in
      await connection.close();
      await until(() => !served.has(pattern), "the end of the registration");
    },
  };
};

/** What is asked over a tunnel here takes no stream, so that one that is allowed ends, too. */
const overTunnel: Gateway["open"] = ({ hub, reported, seen }, { prefix }) => ({
  async attempt() {
    const urls = hub.gateways.find(({ name }) => name === "tunnel")!.urls;
    const before = reported.length;
    const socket = dial(Number(new URL(urls[PREFIXES.indexOf(prefix)]!).port), "127.0.0.1");
    let isClosed = false;
    socket.on("error", () => undefined).on("close", () => (isClosed = true));
    await until(() => isClosed || seen.length > 0, "the end of the connection");
    socket.destroy();
    return seen.length > 0 ? "ok" : until(() => reported[before], "the report");
  },
  close: () => undefined,
});

const overMine: Gateway["open"] = async ({ mine }, { token, prefix }) => {
  const admitted: Admitted = await mine.admit({ gateway: "mine", remote: "here", token });
  const { engine, principal } = admitted;
  const made: (() => unknown)[] = [];
  const origin = { gateway: "mine", remote: "tcp://127.0.0.1:1", principal };
  const attempts: Partial<Record<Verb, () => Promise<unknown>>> = {
    request: () => requestBytes(engine, { subject: `${prefix}.a`, body: '"x"', timeoutMs: 5_000, origin }),
    publish: async () => engine.publish(engine.route(`${prefix}.c`), Message.ofBytes(new Uint8Array(0))),
    subscribe() {
      const subscription = engine.subscribe(`${prefix}.>`, { deliver: () => undefined, origin });
      made.push(() => subscription.close());
      return subscription.ready;
    },
    serve() {
      const worker = { execute: () => undefined, cancel: () => undefined, origin };
      const registration = engine.serve(`${prefix}.b`, worker);
      made.push(() => registration.lose());
      return registration.ready;
    },
  };
  return {
    async attempt(verb) {
      try {
        await attempts[verb]!();
        return "ok";
      } catch (error) {
        return reasonOf(error);
      }
    },
    close() {
      for (const end of made) end();
    },
  };
};

const HTTP = {
  UNAUTHENTICATED: "401 UNAUTHENTICATED",
  PERMISSION_DENIED: "403 PERMISSION_DENIED",
  NO_RESPONDERS: "503 NO_RESPONDERS",
};
const BEAM = { skip, isNameless: true, says: { UNAUTHENTICATED: "closed" } } as const;
const SESSION: readonly Verb[] = ["request", "open", "publish", "subscribe", "serve"];

export const GATEWAYS: readonly Gateway[] = [
  ...["tcp", "unix", "ws"].map((scheme): Gateway => ({
    name: `native over ${scheme}`,
    verbs: SESSION,
    open: (scene, attempt) => native(scheme, scene, attempt),
  })),
  {
    name: "http",
    verbs: ["request", "publish"],
    says: HTTP,
    open: overHttp({ request: "POST /*/a", publish: "POST /publish/*" }, onPort),
  },
  {
    name: "http, respond-async",
    verbs: ["request"],
    says: HTTP,
    open: overHttp({ request: "POST /*/a" }, later, { prefer: "respond-async" }),
  },
  {
    name: "jobs",
    verbs: ["request", "serve"],
    says: HTTP,
    open: overHttp({ request: "POST /service/*.a", serve: "GET /service/*.jobs/jobs?wait=0" }, onPort),
  },
  {
    name: "text",
    verbs: ["request", "publish", "subscribe", "serve"],
    says: { UNAUTHENTICATED: "closed 1008" },
    isForObserversToHear: true,
    open: overText,
  },
  {
    name: "commands over WebSocket",
    verbs: ["request", "publish", "subscribe", "serve"],
    open: overCommands("ws"),
  },
  {
    name: "commands over TCP",
    verbs: ["request", "publish", "subscribe", "serve"],
    open: overCommands("tcp"),
  },
  { name: "grpc", verbs: ["serve"], says: { UNAUTHENTICATED: "16 UNAUTHENTICATED" }, open: overGrpc },
  { name: "beam", verbs: ["request"], ...BEAM, open: overBeam },
  { name: "beam, register", verbs: ["serve"], ...BEAM, open: overBeam },
  { name: "tunnel", verbs: ["request"], isNameless: true, open: overTunnel },
  {
    name: "a handler in a server",
    verbs: ["request"],
    says: HTTP,
    open: overHttp({ request: "POST /*/a" }, inServer),
  },
  {
    name: "a handler as a function",
    verbs: ["request"],
    says: HTTP,
    open: overHttp({ request: "POST /*/a" }, asFunction),
  },
  { name: "a gateway of your own", verbs: ["request", "publish", "subscribe", "serve"], open: overMine },
];

/** A kind of gateway that has no clients: what they would do the test does. */
function ownKind(opened: (context: GatewayContext) => void): GatewayKind {
  return {
    name: "mine",
    open(context) {
      opened(context);
      const done = (): Promise<void> => Promise.resolve();
      return Promise.resolve({ name: "mine", urls: [], stats: () => ({}), drain: done, close: done });
    },
  };
}

/** A hub with all gateways, and a service and a subscriber that see everything. */
export async function withHub(
  access: Access,
  run: (scene: Scene) => Promise<void>,
  config: HubConfig = {},
): Promise<void> {
  const seen: string[] = [];
  const reported: string[] = [];
  const served = new Set<string>();
  const folder = mkdtempSync(join(tmpdir(), "lintel-matrix-"));
  const beamPath = join(folder, "beam.sock");
  let mine: Admission | undefined;
  await using hub = await createHub({
    listen: ["tcp://127.0.0.1:0", `unix:${join(folder, "hub.sock")}`, "ws://127.0.0.1:0"],
    http: {
      port: 0,
      routes: PREFIXES.map((prefix) => ({
        method: "POST",
        path: `/publish/${prefix}`,
        subject: `${prefix}.c`,
        mode: "publish",
      })),
    },
    grpc: { port: 0 },
    text: 0,
    commands: ["ws://127.0.0.1:0", "tcp://127.0.0.1:0"],
    ...(skip === false ? { beam: { path: beamPath } } : {}),
    tunnel: PREFIXES.map((prefix) => ({ listen: 0, subject: `${prefix}.a` })),
    gateways: [ownKind(({ admission }) => (mine = admission))],
    access,
    onError: (error) => reported.push(reasonOf(error)),
    observer: {
      registration({ event, gateway, pattern }) {
        if (gateway !== "beam") return;
        if (event === "added") served.add(pattern);
        else served.delete(pattern);
      },
    },
    ...config,
  });
  for (const prefix of PREFIXES)
    await hub.serve(`${prefix}.a`, (_value, context) => {
      seen.push(`asked ${context.subject}`);
      const { headers } = context;
      if (headers.has(":open") && !headers.has(":offer")) context.accept().close();
      return "answer";
    });
  await hub.subscribe(">", (_value, { subject }) => void seen.push(`published ${subject}`));
  const handler = await hub.handler({ path: "/api" });
  const server = createServer((request, response) => handler.request(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const scene: Scene = {
    hub,
    seen,
    reported,
    served,
    beamPath,
    mine: mine!,
    server,
    handler,
    original: undefined,
  };
  try {
    await run(scene);
  } finally {
    await scene.original?.kill();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
