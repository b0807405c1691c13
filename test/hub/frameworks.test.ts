/** A hub inside real apps: what is the app's stays the app's, what is the hub's reaches workers, over one server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { serve, type ServerType } from "@hono/node-server";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { connect, createHub, type Hub } from "../../src/index.ts";
import { RawCaller, reasonOf } from "../gateway/http/harness.ts";
import { AUTHORITY, TRUSTING, pair } from "../transport/certificates.ts";
import { RawWebSocket } from "../transport/raw-websocket.ts";

/** An app with a route of its own at `/own`, which answers "own", and with the hub below `/api`. */
interface App {
  readonly server: Server;
  close(): Promise<unknown>;
}

async function listening(server: Server): Promise<App> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return appOf(server);
}

function appOf(server: Server): App {
  return {
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

/** What Hono's server calls itself may be HTTP/2's; here it is not. */
function honoServer(app: Hono): Promise<Server> {
  return new Promise((resolve) => {
    const server: ServerType = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () =>
      resolve(server as Server),
    );
  });
}

function expressApp(): express.Express {
  const app = express();
  app.get("/own", (_request, response) => void response.send("own"));
  return app;
}

const APPS: Readonly<Record<string, (hub: Hub) => Promise<App>>> = {
  "Express, attached": async (hub) => {
    const server = createServer(expressApp());
    await hub.attach(server, { path: "/api" });
    return listening(server);
  },
  "Express, as a middleware": async (hub) => {
    const lintel = await hub.handler({ path: "/api" });
    const app = express();
    app.use(lintel.request);
    app.get("/own", (_request, response) => void response.send("own"));
    const server = createServer(app);
    server.on("upgrade", (request, socket, head) => {
      if (!lintel.upgrade(request, socket, head)) socket.destroy();
    });
    return listening(server);
  },
  "Fastify, attached": async (hub) => {
    const app = fastify({ forceCloseConnections: true });
    app.get("/own", () => "own");
    await hub.attach(app.server, { path: "/api" });
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { ...appOf(app.server), close: () => app.close() };
  },
  "Fastify, as a hook": async (hub) => {
    const lintel = await hub.handler({ path: "/api" });
    const app = fastify({ forceCloseConnections: true });
    app.addHook("onRequest", (request, reply, done) => {
      if (!request.url.startsWith("/api/")) return done();
      reply.hijack();
      lintel.request(request.raw, reply.raw);
    });
    app.all("/api/*", () => undefined);
    app.get("/own", () => "own");
    app.server.on("upgrade", (request, socket, head) => {
      if (!lintel.upgrade(request, socket, head)) socket.destroy();
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { ...appOf(app.server), close: () => app.close() };
  },
  "Hono, attached": async (hub) => {
    const app = new Hono();
    app.get("/own", (context) => context.text("own"));
    const server = await honoServer(app);
    await hub.attach(server, { path: "/api" });
    return appOf(server);
  },
  "Hono, by fetch": async (hub) => {
    const lintel = await hub.handler({ path: "/api" });
    const app = new Hono();
    app.get("/own", (context) => context.text("own"));
    app.all("/api/*", (context) => lintel.fetch(context.req.raw));
    const server = await honoServer(app);
    server.on("upgrade", (request, socket, head) => {
      if (!lintel.upgrade(request, socket, head)) socket.destroy();
    });
    return appOf(server);
  },
};

async function begin(context: TestContext, start: (hub: Hub) => Promise<App>): Promise<[Hub, string]> {
  const hub = await createHub({ http: false, listen: [] });
  const app = await start(hub);
  context.after(async () => {
    await hub.close();
    await app.close();
  });
  return [hub, `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`];
}

for (const [name, start] of Object.entries(APPS)) {
  describe(name, () => {
    test("the app's own routes are the app's, before and after the hub is closed", async (context) => {
      const [hub, url] = await begin(context, start);
      await hub.serve("own", () => "the hub's");
      assert.equal(await (await fetch(`${url}/own`)).text(), "own");
      assert.equal((await fetch(`${url}/nothing`)).status, 404);
      assert.equal(await (await fetch(`${url}/api/own`)).text(), "the hub's");
      await hub.close();
      assert.equal(await (await fetch(`${url}/own`)).text(), "own");
      const after = await fetch(`${url}/api/own`);
      assert.notEqual(after.status, 200);
      await after.text();
    });

    test("a session comes to the same port, and its worker answers", async (context) => {
      const [hub, url] = await begin(context, start);
      const peer = await connect(`${url.replace("http", "ws")}/api/.lintel/session`);
      await peer.serve("shop.order", (order, { http }) => ({ order, path: http?.path }));
      const body = new URLSearchParams({ item: "tea" });
      const response = await fetch(`${url}/api/shop/order?rush=1`, { method: "POST", body });
      assert.deepEqual(await response.json(), { order: { item: "tea" }, path: "/shop/order" });
      const raw = await RawWebSocket.request(`${url.replace("http", "ws")}/api/.lintel/session`, {
        Origin: "http://evil.example",
      });
      assert.match(await raw.head(), /^HTTP\/1\.1 403 /);
      raw.socket.destroy();
      await peer.close();
      assert.equal((await fetch(`${url}/api/shop/order`)).status, 503);
      await hub.close();
      assert.equal(await (await fetch(`${url}/own`)).text(), "own");
    });

    test("a caller that leaves is noticed in the handler", async (context) => {
      const [hub, url] = await begin(context, start);
      let heard: (reason: unknown) => void = () => undefined;
      const aborted = new Promise<unknown>((resolve) => {
        heard = resolve;
      });
      const caller = new RawCaller(Number(new URL(url).port));
      await hub.serve("slow", (_value, { signal }) => {
        signal.addEventListener("abort", () => heard(signal.reason));
        caller.close();
        return new Promise(() => undefined);
      });
      caller.send("GET /api/slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assert.equal(((await aborted) as { reason: unknown }).reason, "CALLER_GONE");
      assert.equal(hub.stats().inFlight, 0);
    });

    test("drain answers what is under way and refuses what is new", async (context) => {
      const [hub, url] = await begin(context, start);
      let answer: (value: string) => void = () => undefined;
      let enter: () => void = () => undefined;
      const entered = new Promise<void>((resolve) => {
        enter = resolve;
      });
      await hub.serve("slow", () => {
        enter();
        return new Promise((resolve) => {
          answer = resolve;
        });
      });
      const under = fetch(`${url}/api/slow`);
      await entered;
      const drained = hub.drain();
      const late = await fetch(`${url}/api/slow`);
      assert.deepEqual([late.status, reasonOf(await late.text())], [503, "DRAINING"]);
      answer("at last");
      assert.equal(await (await under).text(), "at last");
      await drained;
      assert.equal(await (await fetch(`${url}/own`)).text(), "own");
    });

    test("close answers what is under way, and a body that is on its way", async (context) => {
      const [hub, url] = await begin(context, start);
      let held = 0;
      let enter: () => void = () => undefined;
      const entered = new Promise<void>((resolve) => {
        enter = resolve;
      });
      await hub.serve("slow", () => {
        if (++held === 2) enter();
        return new Promise(() => undefined);
      });
      const uploading = new RawCaller(Number(new URL(url).port)).send(
        "POST /api/slow HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n",
      );
      assert.equal((await uploading.send("abc").response())?.status, 100);
      const under = [
        fetch(`${url}/api/slow`, { headers: { prefer: "respond-async, wait=20" } }),
        fetch(`${url}/api/slow`),
      ];
      await entered;
      await hub.close();
      for (const one of under) {
        const response = await one;
        assert.deepEqual([response.status, reasonOf(await response.text())], [503, "CLOSED"]);
      }
      assert.equal((await uploading.response())?.status, 503);
      uploading.close();
    });
  });
}

test("an attached server over TLS serves sessions of every kind, and passes over other offers", async (context) => {
  const hub = await createHub({ http: false, listen: [] });
  const server = createTlsServer(pair("server"), expressApp());
  await hub.attach(server, { path: "/api" });
  const app = await listening(server);
  context.after(async () => {
    await hub.close();
    await app.close();
  });
  const { port } = server.address() as AddressInfo;
  for (const scheme of ["wss", "http1s"]) {
    const peer = await connect(`${scheme}://localhost:${port}/api/.lintel/session`, { tls: TRUSTING });
    await peer.serve("echo", (value) => value);
    assert.equal(await peer.request("echo", scheme), scheme);
    await peer.close();
  }
  const socket = connectTls({ port, host: "localhost", ca: AUTHORITY });
  socket.write("GET /own HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n");
  let heard = "";
  for await (const piece of socket.setEncoding("utf8")) heard += String(piece);
  assert.match(heard, /^HTTP\/1\.1 200 OK\r\n[^]*\r\nown$/);
});
