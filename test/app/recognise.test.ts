/** What a value is as a web app; and that each kind of app answers behind a hub. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, test } from "node:test";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { recogniseApp, type HttpApp } from "../../src/app/index.ts";
import { behindHub } from "./behind-hub.ts";

const listener = (request: IncomingMessage, response: ServerResponse): void => void response.end(request.url);

/** Apps that answer with the path they see, by what they are called. */
const APPS: Readonly<Record<string, () => HttpApp | Promise<HttpApp>>> = {
  "Express app": () => express().use((request, response) => void response.send(request.url)),
  "Fastify app": () => {
    const app = fastify();
    app.get("/*", (request) => request.url);
    return app;
  },
  "Koa app": () => new Koa().use((context) => void (context.body = context.url)),
  "Hono app": () => new Hono().get("/*", (context) => context.text(context.req.path)),
  "object with fetch": () => ({ fetch: (request: Request) => new Response(new URL(request.url).pathname) }),
  "fetch handler": () => (request: Request) => new Response(new URL(request.url).pathname),
  "request listener": () => listener,
  "http.Server": () => createServer(listener),
};

describe("apps", () => {
  for (const [kind, make] of Object.entries(APPS)) {
    test(`${kind}: known as such, also from a promise or a factory, and answers`, async (context) => {
      assert.equal((await recogniseApp(await make())).kind, kind);
      assert.equal((await recogniseApp(Promise.resolve(make()))).kind, kind);
      assert.equal((await recogniseApp(async () => make())).kind, kind);
      const { url } = await behindHub(context, await make());
      const response = await fetch(`${url}/a/b`);
      assert.deepEqual([response.status, await response.text()], [200, "/a/b"]);
    });
  }
});

test("a Nest app is started, and is what it has inside", async () => {
  let started = 0;
  const app = express();
  const nest = { init: async () => void started++, getHttpAdapter: () => ({ getInstance: () => app }) };
  assert.equal((await recogniseApp(nest)).kind, "Express app");
  assert.equal(started, 1);
});

test("what is no app is told what it is", async () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /it is nothing/],
    ["app", /it is a string/],
    [{}, /an object with nothing in it/],
    [{ port: 1, host: 2 }, /an object with port, host/],
    [createServer(), /a server without a listener for requests/],
    [() => 7, /it is a number/],
    [() => () => () => () => () => 1, /a function that returns a function, and so on/],
  ];
  for (const [value, complaint] of cases)
    await assert.rejects(recogniseApp(value), { code: "invalid_argument", message: complaint });
});

test("a server that listens is refused", async (context) => {
  const server = createServer(listener).listen(0);
  context.after(() => server.close());
  await assert.rejects(recogniseApp(server), {
    code: "failed_precondition",
    message: /without calling listen/,
  });
});

test("what an app's own start throws is passed on", async () => {
  const app = fastify();
  app.register(async () => {
    throw new Error("no database");
  });
  await assert.rejects(recogniseApp(app), { message: "no database" });
});
