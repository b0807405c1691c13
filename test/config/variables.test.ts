/** Variables in texts of the config file. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig, type FileConfig } from "../../src/config/config.ts";
import { LintelError } from "../../src/message/failure.ts";
import { createHub } from "../../src/index.ts";
import { root } from "../house/root.ts";

const environment = {
  PORT: "8600",
  HOST: "127.0.0.1",
  VERSION: "3.10",
  FLAG: "false",
  EMPTY: "",
  NAME: "shop",
  SIZE: "64KiB",
};

function read(source: string): Promise<FileConfig> {
  return parseConfig(source, join(root, "test/certificates/lintel.yaml"), { environment });
}

async function problems(source: string): Promise<string[]> {
  const place = join(root, "test/certificates/f");
  const error = await parseConfig(source, place, { environment }).then(
    (config) => assert.fail(`was taken as ${JSON.stringify(config)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LintelError);
  return error.message.replaceAll(place, "f").split("\n");
}

test("a variable has the type of the option that it stands for", async () => {
  const source = `
http: { listen: "\${HOST}:\${PORT}", sessions: "\${FLAG}", maxPipelined: "\${NONE:-8}", bodyLimit: "\${SIZE}" }
beam: { path: "/run/\${NAME}.sock", prefix: '\${PORT}x', maxPending: "\${PORT}" }
jobs: \${FLAG}
listen: ["tcp://\${HOST}:0"]
tls: { cert: "\${CERT:-server}.pem", key: server.key }
`;
  const { tls, ...config } = await read(source);
  assert.ok(tls?.cert);
  assert.deepEqual(config, {
    http: { listen: "127.0.0.1:8600", sessions: false, maxPipelined: 8, bodyLimit: 65_536 },
    beam: { path: "/run/shop.sock", prefix: "8600x", maxPending: 8_600 },
    jobs: false,
    listen: ["tcp://127.0.0.1:0"],
  });
});

test("`http: ${PORT:-8500}` listens on that port", async () => {
  const { http } = await parseConfig("http: ${PORT:-0}", "f", { environment: {} });
  assert.deepEqual(http, { listen: "0" });
  await using hub = await createHub({ http: http ?? false, listen: [] });
  assert.match(hub.httpUrl ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
});

test("digits of numbers are kept, and what is sent as JSON has the type of plain text", async () => {
  const source = `
services:
  a: { command: [x, "v\${VERSION}", "\${VERSION}"], environment: { VER: "\${VERSION}", FLAG: "\${FLAG}" } }
routes:
  - path: /a
    subject: a
    mode: publish
    reply:
      headers: { x: "\${VERSION}" }
      body:
        - \${PORT}
        - "\${PORT}"
        - \${FLAG}
        - \${NAME}!
`;
  const { services, http } = await read(source);
  assert.deepEqual(services?.[0]?.environment, { VER: "3.10", FLAG: "false" });
  assert.deepEqual(services[0].program, { kind: "command", command: ["x", "v3.10", "3.10"] });
  assert.ok(http);
  assert.deepEqual(http.routes?.[0]?.reply, {
    headers: { x: "3.10" },
    body: [8_600, "8600", false, "shop!"],
  });
});

test("defaults stand for variables that are missing or empty, and may have variables of their own", async () => {
  const { services } = await read(`
services:
  a:
    command: x
    environment:
      A: "\${EMPTY}"
      B: "\${EMPTY:-b}"
      C: "\${NONE:-}"
      D: "\${NONE:-\${NAME}-\${NONE:-d}}!"
      E: "$\${NAME} $$ $NAME $5"
      F: "\${NAME}\${NAME}"
      G: "{\${NAME}}"
`);
  assert.deepEqual(services?.[0]?.environment, {
    A: "",
    B: "b",
    C: "",
    D: "shop-d!",
    E: "${NAME} $$ $NAME $5",
    F: "shopshop",
    G: "{shop}",
  });
});

test("a command line for the shell is left to the shell", async () => {
  const { services } = await read('services: { a: { command: "echo ${NOBODY} ${1} ${x%.y}" } }');
  assert.deepEqual(services?.[0]?.program, {
    kind: "command",
    command: ["/bin/sh", "-c", "echo ${NOBODY} ${1} ${x%.y}"],
  });
});

test("what is wrong is told at its place", async () => {
  const source = `http:
  listen: "127.0.0.1:\${NONE}"
  timeout: \${NAME}
  maxPipelined: \${VERSION}
listen: ["tcp://\${HOST-x}:0", "a \${NONE:-b"]
tls: { cert: "\${NONE}", key: server.key }
x-note: \${NONE}
`;
  const missing = "the environment has no variable NONE; set it, or give a default: ${NONE:-default}";
  const found = await problems(source);
  assert.deepEqual(
    found.filter((line) => !line.startsWith("f:3")),
    [
      `f:2:22: ${missing}`,
      'f:4:17: maxPipelined must be a whole number from 1 to 65536, not "3.10"',
      'f:5:17: "${" begins a variable, which is ${NAME} or ${NAME:-default}; write $${ for the two characters themselves',
      'f:5:34: the default of ${NONE:- has no "}" at its end',
      `f:6:15: ${missing}`,
    ],
  );
  assert.match(
    found.find((line) => line.startsWith("f:3")) ?? "",
    /^f:3:12: timeout must be .*, not "shop"$/,
  );
});
