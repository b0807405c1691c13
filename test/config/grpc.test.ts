import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import type { LintelError } from "../../src/message/failure.ts";
import { root } from "../house/root.ts";
import { pair } from "../transport/certificates.ts";

const HERE = join(root, "test/certificates/lintel.yaml");

test("the gRPC gateway by its address, and with everything", async () => {
  assert.deepEqual(await parseConfig("grpc: 4510", HERE), { grpc: { listen: 4510 } });
  const source = `
grpc:
  listen: "[::1]:4510"
  tls: { cert: server.pem, key: server.key }
  maxConnections: 10
  maxStreams: 20
`;
  assert.deepEqual(await parseConfig(source, HERE), {
    grpc: { listen: "[::1]:4510", tls: pair("server"), maxConnections: 10, maxStreams: 20 },
  });
});

test("mistakes in it are reported at their places, with what is allowed there", async () => {
  const problems = async (source: string): Promise<string[]> => {
    const error = await parseConfig(source, "lintel.yaml").then(
      (config) => assert.fail(`was taken as ${JSON.stringify(config)}`),
      (why: LintelError) => why,
    );
    return error.message.split("\n");
  };
  assert.deepEqual(await problems("grpc:\n  maxStream: 3\n  maxConnections: 0"), [
    'lintel.yaml:2:3: grpc has no key "maxStream"; did you mean "maxStreams"?',
    'lintel.yaml:2:3: grpc needs "listen"',
    "lintel.yaml:3:19: maxConnections must be a whole number from 1 to 65536, not 0",
  ]);
  const [problem = ""] = await problems("grpc: true");
  assert.match(problem, /^lintel\.yaml:1:7: grpc must be HOST:PORT .*, or a map, not true$/);
});
