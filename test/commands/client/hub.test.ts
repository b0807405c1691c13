/** The client with a hub: calls reach workers, requests reach its handlers, and both can be canceled. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connectCommands, CommandError, CommandException } from "../../../src/commands/node.ts";
import { createKey, sha256Of } from "../../../src/access/keys/key.ts";
import { createHub, type Hub } from "../../../src/hub/hub.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { until } from "../../house/until.ts";

const key = createKey();
const listen = ["ws://127.0.0.1:0", "tcp://127.0.0.1:0"];

for (const [index, name] of ["ws", "tcp"].entries())
  describe(`a client of a hub over ${name}`, () => {
    let hub: Hub;
    let url: string;
    const reasons: unknown[] = [];

    before(async () => {
      hub = await createHub({
        http: false,
        listen: [],
        commands: { listen, serve: ["client.>"], broadcast: ["news.>"] },
      });
      url = hub.commandsUrls[index]!;
      await hub.serve("echo", (value) => value);
      await hub.serve("nope", () => {
        throw new LintelError("not_found", "there is none", { reason: "NONE", details: { id: 5 } });
      });
      await hub.serve("busy", () => {
        throw new LintelError("unavailable", "later");
      });
      await hub.serve("slow", async (_, { signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        reasons.push((signal.reason as LintelError).reason);
      });
    });

    after(() => hub?.close());

    test("calls workers, and gets their failures", async () => {
      await using client = await connectCommands(url);
      assert.deepEqual(await client.call("echo", { a: [0, null, "ü"] }), { a: [0, null, "ü"] });
      const failed = await client.call("nope").catch((error: unknown) => error);
      assert.ok(failed instanceof CommandError);
      assert.deepEqual([failed.code, failed.reason, failed.details], ["not_found", "NONE", { id: 5 }]);
      await assert.rejects(client.call("busy"), CommandException);
      await assert.rejects(client.call("nobody"), { reason: "NO_HANDLERS", retryable: true });
      await until(() => client.maxClockError);
      assert.ok(Math.abs(client.now() - Date.now()) <= client.maxClockError! + 2);
    });

    test("gets requests, publications, and what it has announced, also after a reconnect", async () => {
      const news: unknown[] = [];
      await using client = await connectCommands(url, {
        handlers: {
          "client.ask": ({ body }) => ["asked", body],
          "own.double": ({ body }) => Number(body) * 2,
          "news.sport": ({ body }) => news.push(body),
          "weather.today": ({ body }) => news.push(body),
        },
      });
      assert.deepEqual(await hub.request("client.ask", 0), ["asked", 0]);
      await client.announce("lintel.serve", { pattern: "own.*" });
      await client.announce("lintel.subscribe", "weather.*");
      assert.equal(await hub.request("own.double", 21), 42);
      client.connection!.close();
      await until(() => client.state === "connected");
      await until(() => hub.request("own.double", 4).catch(() => undefined));
      await until(async () => {
        await hub.publish("weather.today", "sun");
        return news.includes("sun");
      });
      await hub.publish("news.sport", "1:0");
      await until(() => news.includes("1:0"));
    });

    test("C-83: what is canceled at one end ends at the other", async () => {
      await using client = await connectCommands(url, { cancels: true });
      const controller = new AbortController();
      const aborted = assert.rejects(client.call("slow", null, { signal: controller.signal }), {
        name: "AbortError",
      });
      controller.abort();
      await aborted;
      await assert.rejects(client.call("slow", null, { timeout: 20 }));
      await until(() => reasons.length === 2);
      assert.equal(reasons[0], "CALLER_GONE");
      const own: unknown[] = [];
      client.on("own.slow", async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        own.push((signal.reason as LintelError).reason);
      });
      await client.announce("lintel.serve", "own.slow");
      await assert.rejects(hub.request("own.slow", null, { timeoutMs: 20 }), { reason: "DEADLINE" });
      await until(() => own.length === 1);
      assert.deepEqual(own, ["DEADLINE"]);
    });
  });

test("a hub with access wants a key, in the URL or by auth.upgrade, on each connection", async () => {
  const access = { keys: [{ name: "page", role: "service", sha256: sha256Of(key) }] } as const;
  await using hub = await createHub({ http: false, listen: [], access, commands: { listen } });
  await hub.serve("echo", (value) => value);
  const [ws, tcp] = hub.commandsUrls as [string, string];
  for (const [url, tokenIn] of [
    [ws, "query"],
    [ws, "upgrade"],
    [tcp, "upgrade"],
  ] as const) {
    await using client = await connectCommands(url, { token: () => key, tokenIn });
    assert.equal(await client.call("echo", 5), 5);
    client.connection!.close();
    assert.equal(await client.call("echo", 6, { retries: 100 }), 6);
  }
  await assert.rejects(connectCommands(tcp, { token: "wrong" }), { code: "unauthenticated" });
  await using stranger = await connectCommands(tcp);
  await assert.rejects(stranger.call("echo"), { message: "Authentication required" });
});
