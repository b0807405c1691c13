import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import { commandsSettings } from "../../src/gateway/commands/options.ts";
import type { LintelError } from "../../src/message/failure.ts";

async function problems(source: string): Promise<string[]> {
  const error = await parseConfig(source, "lintel.yaml").then(
    (config) => assert.fail(`was taken as ${JSON.stringify(config)}`),
    (why: LintelError) => why,
  );
  assert.equal(error.reason, "BAD_CONFIG");
  return error.message.split("\n");
}

test("the commands gateway in one word, as a list, and with everything", async () => {
  const read = async (source: string): Promise<unknown> =>
    (await parseConfig(`commands: ${source}`, "lintel.yaml")).commands;
  assert.deepEqual(await read("true"), {});
  assert.deepEqual(await read("12000"), { listen: ["ws://127.0.0.1:12000"] });
  assert.deepEqual(await read("[tcp://127.0.0.1:1, '[::1]:2']"), {
    listen: ["tcp://127.0.0.1:1", "ws://[::1]:2"],
  });
  const source = `
  listen: localhost:12000
  path: /drs
  stats: false
  serve: [client.>]
  broadcast: [news.*]
  timeout: 5s
  maxCommand: 64KiB
  maxConnections: 10
  maxPending: 20
  concurrency: 30
  origins: [https://app.example.com]
  hosts: [hub.example.com]
`;
  assert.deepEqual(await read(source), {
    listen: ["ws://localhost:12000"],
    path: "/drs",
    stats: false,
    serve: ["client.>"],
    broadcast: ["news.*"],
    timeout: 5_000,
    maxCommand: 65_536,
    maxConnections: 10,
    maxPending: 20,
    concurrency: 30,
    origins: ["https://app.example.com"],
    hosts: ["hub.example.com"],
  });
});

test("mistakes in it are reported at their places, with what is allowed there", async () => {
  const source = `commands:
  listen: udp://127.0.0.1:1
  path: socket
  serve: [a b]
  concurency: 5
`;
  assert.deepEqual(await problems(source), [
    'lintel.yaml:2:11: listen must be a URL, or a list of URLs, not "udp://127.0.0.1:1"',
    'lintel.yaml:3:9: path must be a path such as /socket, or false, not "socket"',
    'lintel.yaml:4:11: a pattern: "a b" is not a pattern: tokens are [A-Za-z0-9_-] joined by dots; a pattern may use * for a token and a final > for the rest',
    'lintel.yaml:5:3: commands has no key "concurency"; did you mean "concurrency"?',
  ]);
});

test("paths must differ, and a program's options are checked as those of a file", () => {
  assert.throws(
    () => commandsSettings({ path: "/a", stats: "/a" }),
    /stats is "\/a", it must be another path/,
  );
  assert.throws(() => commandsSettings({ maxPending: 0 }), /commands option maxPending is 0/);
  assert.throws(() => commandsSettings({ timeout: "soon" }), /commands option timeout is "soon"/);
  assert.equal(commandsSettings({ path: false, stats: false }).path, false);
});
