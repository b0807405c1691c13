/** The JSON Schema for editors says what the validator says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv, type AnySchemaObject } from "ajv";
import { parse } from "yaml";
import { parseConfig } from "../../src/config/config.ts";
import { LintelError } from "../../src/message/failure.ts";
import { root } from "../house/root.ts";

const SCHEMA = JSON.parse(readFileSync(join(root, "spec/lintel.schema.json"), "utf8")) as AnySchemaObject;
const validate = new Ajv({ allowUnionTypes: true }).compile(SCHEMA);
/** Where the certificates of examples are. */
const PLACE = join(root, "test/certificates/lintel.yaml");

async function problemsIn(source: string): Promise<string[]> {
  const outcome = await parseConfig(source, PLACE).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome === undefined) return [];
  assert.ok(outcome instanceof LintelError);
  return outcome.message.split("\n");
}

async function agree(source: string, isLegal: boolean): Promise<void> {
  const problems = await problemsIn(source);
  const bySchema = validate(parse(source, { merge: true }) ?? {});
  assert.deepEqual(
    [problems.length === 0, bySchema],
    [isLegal, isLegal],
    `${source}\n${problems.join("\n")}`,
  );
}

const DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const LEGAL = [
  "{}",
  "http: false",
  "http: 8500",
  "http: '[::1]:8500'",
  "http: { listen: 0, bodyLimit: 1MiB, timeout: 1.5s, origins: ['*'], tls: false, sessions: true }",
  "listen: [tcp://127.0.0.1:0, { url: 'ws://127.0.0.1:0', handshakeTimeout: 5s }]",
  "tls: { cert: server.pem, key: server.key }",
  "jobs: false",
  "jobs: { wait: 1s, services: { a.b: { delivery: at-least-once, lease: 5s }, c: } }",
  "beam: /run/beam.sock",
  "beam: { path: b.sock, mode: '0660', plain: publish, messageLimit: 1MiB, maxPending: 3 }",
  "grpc: 4510",
  "grpc: { listen: '127.0.0.1:4510', tls: false, maxConnections: 10, maxStreams: 20 }",
  "commands: true",
  "commands: 12000",
  "commands: ws://127.0.0.1:12000",
  "commands: [ws://127.0.0.1:0, 'tcp://127.0.0.1:0', '127.0.0.1:12000', 12001]",
  "commands: { listen: tcp://127.0.0.1:0, path: false, stats: false, serve: [client.>], broadcast: [a.*] }",
  "commands: { path: /a/b, timeout: 5s, maxCommand: 1MiB, maxConnections: 5, maxPending: 5, concurrency: 5 }",
  "limits: { payload: 64 KiB, timeout: 5, queue: 3 }",
  "routes: [{ path: /a, subject: a, method: [GET, PUT], fallback: { status: 503, headers: { a: [b, c] }, body: { c: 1 } } }]",
  "routes: [{ path: /shop, subject: shop, mode: app, bodyLimit: 1GiB }, { path: /up, subject: up, body: stream }]",
  "access: {}",
  "access: { anonymous: client, keysFile: keys.yaml, limits: { client: { connections: 20, bytesPerSecond: 1MB }, admin: {} } }",
  `access: { keys: [{ name: a, role: client, sha256: ${DIGEST}, tenant: a, grants: { request: ["a.>"] }, deny: { admin: ["*"] } }] }`,
  `access: { keys: [{ name: a, role: admin, sha256: ${DIGEST}, expires: 2027-01-31T12:00:00Z, limits: { burst: 0 } }] }`,
  "access: { certificates: [{ san: 'a-*.b', role: service, name: a }, { subject: 'CN=a,O=b', role: client }] }",
  "access: { unix: [{ uid: 0, role: admin }, { gid: 4294967295, role: client }, { uid: 1, gid: 1, role: observer }] }",
  "access: { jwt: { jwks: 'https://id.example', issuer: [a, b], audience: a, role: client, roles: [client], clockSkew: 1m } }",
  "services: {}",
  "services: { a: { command: x } }",
  "services: { a: { command: [x, y], environment: { A: 1, B: true, C: x }, restart: never, instances: 0 } }",
  "services: { a: { command: x, restart: { policy: on-failure, first: 1ms, last: 1h, attempts: 3 } } }",
  "services: { a: { work: { subject: 'a.*', command: [x], lines: true, queue: q, concurrency: 2 } } }",
  "services: { a: { work: { subject: a, command: x, stream: true, type: text/plain } } }",
  "services: { a: { app: ./a.js, subject: a, subjects: ['a.>'], directory: d, startTimeout: 1s, stopGrace: 1s } }",
  "services: { a: { command: x }, b: { command: x, dependsOn: [a] } }",
  "services: { a: { command: [sleep, 10, true], environment: { A: 3.10, B: 0755 } } }",
  "routes: [{ path: /a, subject: a, mode: publish, reply: { headers: { a: 1.0, b: [2, x] } } }]",
  "x-shared: &shared { restart: never }\nservices: { a: { <<: *shared, command: x, x-note: [1] } }",
  "http: { x-a: 1 }\nlimits: { x-b: 1 }\nbeam: { path: b, x-c: 1 }\ngrpc: { listen: 0, x-d: 1 }\njobs: { x-e: 1 }",
];

const ILLEGAL = [
  "xa: 1",
  "X-a: 1",
  "x-shared: &shared { nonsense: 1 }\nservices: { a: { <<: *shared, command: x } }",
  "services: { a: { command: [x, null] } }",
  "htp: 1",
  "http: true",
  "http: a:b:c",
  "http: { bodyLimit: much }",
  "http: { listen: 99999999 }",
  "listen: tcp://127.0.0.1:0",
  "listen: [4500]",
  "listen: [{ tls: {} }]",
  "tls: { cert: server.pem }",
  "jobs: 5",
  "jobs: { services: { _a: {} } }",
  "jobs: { services: { a: { attempts: 0 } } }",
  "beam: ''",
  "beam: { path: b.sock, mode: 660 }",
  "grpc: false",
  "grpc: { maxStreams: 3 }",
  "grpc: { listen: 4510, maxStreams: 0 }",
  "commands: false",
  "commands: udp://127.0.0.1:1",
  "commands: { path: socket }",
  "commands: { serve: ['a>'] }",
  "commands: { broadcast: [a..b] }",
  "commands: { maxPending: 0 }",
  "limits: { queue: 0 }",
  "limits: { queue: many }",
  "limits: { timeout: 5 bananas }",
  "limits: { payload: 1XB }",
  "routes: { path: /a }",
  "routes: [{ path: /a }]",
  "routes: [{ path: /a, subject: a, mode: send }]",
  "routes: [{ path: /a, subject: a, reply: { status: 100 } }]",
  "access: none",
  "access: { anonymous: admin }",
  "access: { keys: [{ name: a, role: client }] }",
  "access: { keys: [{ name: a, role: client, sha256: 00 }] }",
  `access: { keys: [{ name: a, role: root, sha256: ${DIGEST} }] }`,
  `access: { keys: [{ name: '', role: client, sha256: ${DIGEST} }] }`,
  `access: { keys: [{ name: a, role: client, sha256: ${DIGEST}, tenant: a.b }] }`,
  `access: { keys: [{ name: a, role: client, sha256: ${DIGEST}, grants: { requests: [a] } }] }`,
  `access: { keys: [{ name: a, role: client, sha256: ${DIGEST}, grants: { request: [a..b] } }] }`,
  `access: { keys: [{ name: a, role: client, sha256: ${DIGEST}, denied: {} }] }`,
  `access: { keys: [{ name: a, role: client, sha256: ${DIGEST}, expires: 90d }] }`,
  "access: { certificates: [{ role: client }] }",
  "access: { certificates: [{ role: client, san: a, subject: a }] }",
  "access: { unix: [{ role: client }] }",
  "access: { unix: [{ role: client, uid: -1 }] }",
  "access: { limits: { client: { connections: many } } }",
  "access: { jwt: { jwks: 'https://id.example', issuer: a } }",
  "services: [a]",
  "services: { A: { command: x } }",
  "services: { a: {} }",
  "services: { a: x }",
  "services: { a: { command: [] } }",
  "services: { a: { command: '' } }",
  "services: { a: { command: x, app: y } }",
  "services: { a: { command: x, subject: y } }",
  "services: { a: { app: x } }",
  "services: { a: { command: x, port: 80 } }",
  "services: { a: { command: x, instances: 257 } }",
  "services: { a: { command: x, instances: 1.5 } }",
  "services: { a: { command: x, restart: sometimes } }",
  "services: { a: { command: x, restart: { attempts: 0 } } }",
  "services: { a: { command: x, environment: { 'a b': 1 } } }",
  "services: { a: { command: x, environment: { LINTEL_HUB: x } } }",
  "services: { a: { command: x, environment: { A: [1] } } }",
  "services: { a: { command: x, stopGrace: 0 } }",
  "services: { a: { command: x, subjects: [a..b] } }",
  "services: { a: { work: { subject: a } } }",
  "services: { a: { work: { subject: a, command: [x], port: 1 } } }",
];

test("what one takes the other takes, and what one refuses the other refuses", async () => {
  for (const source of LEGAL) await agree(source, true);
  for (const source of ILLEGAL) await agree(source, false);
});

test("the examples and the guides are legal by both", async () => {
  const [guide = "", services = ""] = ["configuration.md", "services.md"].map((name) => {
    const text = readFileSync(join(root, "docs/guides", name), "utf8");
    return /^```yaml\n([^]*?)^```$/m.exec(text)?.[1] ?? assert.fail(`${name} has no example`);
  });
  const example = readFileSync(join(root, "examples/up/lintel.yaml"), "utf8");
  for (const source of [guide, services, example]) await agree(source, true);
  assert.deepEqual(parse(services), parse(example), "the guide shows the example");
});

/** Sources in which XXX stands for a key of each kind of map. */
const MAPS: readonly [path: string, source: string][] = [
  ["", "XXX: 1"],
  ["http", "http: { XXX: 1 }"],
  ["http/asyncAnswers", "http: { asyncAnswers: { XXX: 1 } }"],
  ["listen/*", "listen: [{ url: 'tcp:a', XXX: 1 }]"],
  ["jobs", "jobs: { XXX: 1 }"],
  ["jobs/services/*", "jobs: { services: { a: { XXX: 1 } } }"],
  ["beam", "beam: { XXX: 1 }"],
  ["grpc", "grpc: { XXX: 1 }"],
  ["commands", "commands: { XXX: 1 }"],
  ["limits", "limits: { XXX: 1 }"],
  ["access", "access: { XXX: 1 }"],
  ["access/keys/*", "access: { keys: [{ XXX: 1 }] }"],
  ["access/keys/*/grants", "access: { keys: [{ grants: { XXX: 1 } }] }"],
  ["access/certificates/*", "access: { certificates: [{ XXX: 1 }] }"],
  ["access/unix/*", "access: { unix: [{ XXX: 1 }] }"],
  ["access/jwt", "access: { jwt: { XXX: 1 } }"],
  ["access/jwt/claims", "access: { jwt: { claims: { XXX: 1 } } }"],
  ["access/limits/client", "access: { limits: { client: { XXX: 1 } } }"],
  ["routes/*", "routes: [{ XXX: 1 }]"],
  ["routes/*/reply", "routes: [{ reply: { XXX: 1 } }]"],
  ["routes/*/fallback", "routes: [{ fallback: { XXX: 1 } }]"],
  ["tls", "tls: { XXX: 1 }"],
  ["services/*", "services: { a: { XXX: 1 } }"],
  ["services/*/work", "services: { a: { work: { XXX: 1 } } }"],
  ["services/*/restart", "services: { a: { command: x, restart: { XXX: 1 } } }"],
];

test("every map has the same keys in both", async () => {
  for (const [path, source] of MAPS) {
    const problems = await problemsIn(source);
    const [, allowed = ""] = /has no key "XXX"; allowed: (.*)$/m.exec(problems.join("\n")) ?? [];
    assert.deepEqual(Object.keys(at(path)).toSorted(), allowed.split(", ").toSorted(), path);
  }
});

test("the schema and the tables of the guides are what the sources say", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/generate-schema.js", "--check"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
});

type Part = Readonly<Record<string, unknown>>;

/** The keys of the map at a path, whose `*` is any item. */
function at(path: string): Part {
  let part: Part = SCHEMA;
  for (const step of path.split("/").filter((one) => one !== "")) {
    const map = mapIn(part);
    const next =
      step === "*" ? (part["items"] ?? map["additionalProperties"]) : (map["properties"] as Part)[step];
    part = next as Part;
  }
  return mapIn(part)["properties"] as Part;
}

function mapIn(part: Part): Part {
  const kinds = (part["anyOf"] ?? [part]) as readonly Part[];
  return kinds.find(({ type }) => type === "object") ?? part;
}
