import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import type { LintelError } from "../../src/message/failure.ts";

async function problems(source: string): Promise<string[]> {
  const error = await parseConfig(source, "lintel.yaml").then(
    (config) => assert.fail(`was taken as ${JSON.stringify(config)}`),
    (why: LintelError) => why,
  );
  assert.equal(error.reason, "BAD_CONFIG");
  return error.message.split("\n");
}

test("the beam gateway in one word, and with everything", async () => {
  assert.deepEqual(await parseConfig("beam: /run/beam.sock", "lintel.yaml"), {
    beam: { path: "/run/beam.sock" },
  });
  const source = `
beam:
  path: beam.sock
  mode: "0660"
  prefix: legacy
  plain: publish
  workers: false
  timeout: 5s
  messageLimit: 64KiB
  maxConnections: 10
  maxAttachments: 20
  maxPending: 30
`;
  assert.deepEqual(await parseConfig(source, "lintel.yaml"), {
    beam: {
      path: "beam.sock",
      mode: "0660",
      prefix: "legacy",
      plain: "publish",
      workers: false,
      timeout: 5_000,
      messageLimit: 65_536,
      maxConnections: 10,
      maxAttachments: 20,
      maxPending: 30,
    },
  });
});

test("mistakes in it are reported at their places, with what is allowed there", async () => {
  const source = `beam:
  mode: 0660
  prefix: "a b"
  plain: publisch
  workrs: true
  maxPending: 0
`;
  assert.deepEqual(await problems(source), [
    'lintel.yaml:2:3: beam needs "path"',
    'lintel.yaml:2:9: mode must be permissions in quotes such as "0660", not 660',
    'lintel.yaml:3:11: prefix: beam option prefix is "a b", it must be a subject such as legacy or legacy.tools',
    'lintel.yaml:4:10: plain must be one of request, publish, not "publisch"; did you mean "publish"?',
    'lintel.yaml:5:3: beam has no key "workrs"; did you mean "workers"?',
    "lintel.yaml:6:15: maxPending must be a whole number from 1 to 65536, not 0",
  ]);
  assert.deepEqual(await problems("beam: true"), [
    "lintel.yaml:1:7: beam must be the path of a socket, or a map, not true",
  ]);
});
