import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CommandError } from "../../src/commands/error.ts";
import type { CommandPeer } from "../../src/commands/peer.ts";
import { tcpCommands, webCommands } from "./raw-commands.ts";
import { serve, type Serving } from "./serving.ts";

describe("authentication", () => {
  const authenticate = async (token: string, { cache }: CommandPeer): Promise<unknown> => {
    await Promise.resolve();
    if (token === "bad") return false;
    if (token === "worse") throw new CommandError("this token has expired");
    cache.set("user", token);
    return token === "named" ? { name: "Ada" } : undefined;
  };
  const place = async (): Promise<Serving> => {
    const found = await serve({ authenticate });
    found.server.on("who", ({ connection }) => connection.cache.get("user"));
    return found;
  };

  test("by auth.upgrade", async () => {
    const { server, tcp } = await place();
    await using client = await tcpCommands(tcp);
    client.send({ key: "1", action: "who" }, { key: "2", action: "auth.down" }, { action: "drs.ping" });
    client.send({ key: "3", action: "auth.upgrade", body: 5 }, { key: "4", action: "auth.upgrade" });
    const replies = await client.take(5);
    assert.deepEqual(
      replies.map(({ body }) => (body as { message?: string }).message),
      [
        "Authentication required",
        "No handlers for auth.down",
        undefined,
        "Token must be a string",
        "Token must be a string",
      ],
    );
    assert.equal(replies[0]!.action, "drs.error");
    assert.equal(server.broadcast("news"), 0, "strangers hear nothing");
    client.send({ action: "auth.upgrade", body: "bad" });
    assert.equal(((await client.take(1))[0]!.body as { message: string }).message, "Token is not valid");
    client.send({ action: "auth.upgrade", body: "worse" });
    assert.deepEqual((await client.take(1))[0], {
      action: "drs.error",
      body: { message: "this token has expired" },
    });
    client.send({ action: "auth.upgrade", body: "named" });
    assert.deepEqual((await client.take(1))[0]!.body, { name: "Ada" });
    client.send({ action: "who" }, { action: "auth.upgrade", body: "plain" });
    assert.deepEqual(
      (await client.take(2)).map(({ body }) => body),
      ["named", true],
    );
    assert.equal(server.broadcast("news"), 1);
  });

  test("strangers give way to others, the first one first", async () => {
    const { server, ws } = await serve({ authenticate, maxConnections: 2 });
    await using known = await webCommands(`${ws}?token=Ada`);
    known.send({ action: "auth.upgrade", body: "Ada" });
    await known.take(1);
    await using stranger = await webCommands(ws);
    await using next = await webCommands(ws);
    assert.equal((await stranger.end).code, 1013);
    next.send({ action: "auth.upgrade", body: "Bob" });
    await next.take(1);
    await using third = await webCommands(ws);
    assert.equal((await third.end).code, 1013);
    assert.equal(server.connections.size, 2);
  });

  test("by the token in the URL", async () => {
    const { ws, stats } = await place();
    assert.equal(stats, "", "strangers see no counts");
    assert.equal((await fetch(ws.replace(/^ws(.*)socket$/, "http$1stats"))).status, 404);
    await using client = await webCommands(`${ws}?token=Ada`);
    client.send({ action: "who" });
    assert.deepEqual(await client.take(1), [{ action: "drs.response", body: "Ada" }]);
    for (const [token, reason] of [
      ["bad", "Token is not valid"],
      ["worse", "this token has expired"],
    ] as const) {
      await using refused = await webCommands(`${ws}?token=${token}`);
      refused.send({ action: "who" });
      assert.deepEqual(await refused.end, { code: 1008, reason });
      assert.deepEqual(refused.texts, []);
    }
  });
});
