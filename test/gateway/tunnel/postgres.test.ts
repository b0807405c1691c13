/** psql and pg_dump against one real PostgreSQL, through a tunnel over every transport. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect, createHub, type Hub, type Peer } from "../../../src/index.ts";
import { exposeTcp, tunnelTcp, type Target } from "../../../src/tunnel/index.ts";
import { TransportRegistry } from "../../../src/transport/registry.ts";
import { tls } from "../../../src/transport/tls.ts";
import { pathOf } from "../../house/provide.ts";
import { withCertificates } from "../../transport/certificates.ts";
import { Postgres, client } from "./postgres.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-tunnel-"));
const URLS = [
  `unix://${folder}/hub.sock`,
  "tcp://127.0.0.1:0",
  "tls://localhost:0",
  "ws://127.0.0.1:0/lintel",
  "h2c://127.0.0.1:0/lintel",
  "http1://127.0.0.1:0/lintel",
  "memory:tunnel",
];
const ROWS = 10_000;

const transports = new TransportRegistry();
transports.add(withCertificates(tls));
let postgres: Postgres;
let hub: Hub;
/** What everything that passes a tunnel must come out as. */
let original: string;

before(async () => {
  pathOf("psql");
  postgres = await Postgres.start();
  hub = await createHub({ http: false, listen: URLS, transports });
  await client("psql", postgres.port, ["-c", "create database original"]);
  const table = `create table t as select n, repeat(md5(n::text), 3) as text from generate_series(1, ${ROWS}) n`;
  await client("psql", postgres.port, ["-d", "original", "-c", table]);
  original = await dump(postgres.port, "original");
  assert.ok(original.length > ROWS * 96);
});

after(async () => {
  await hub.close();
  await postgres[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Newer versions guard their dumps with a random word. */
async function dump(port: number, database: string): Promise<string> {
  const text = await client("pg_dump", port, [database]);
  return text.replaceAll(/^\\(un)?restrict .*\n/gm, "");
}

/** A query, a database written and read whole, an error, and a connection that the server ends. */
async function use(caller: Peer, worker: Peer, target: Target, database: string): Promise<void> {
  const errors: string[] = [];
  const onError = (error: Error): unknown => errors.push(error.message);
  await using exposure = await exposeTcp(worker, `db.${database}`, target, { onError });
  await using tunnel = await tunnelTcp(caller, { subject: `db.${database}`, port: 0 }, { onError });
  const { port } = tunnel;
  assert.equal(await client("psql", port, ["-Atc", "select 6 * 7"]), "42\n");
  await client("psql", port, ["-c", `create database ${database}`]);
  await client("psql", port, ["-d", database, "-v", "ON_ERROR_STOP=1"], original);
  assert.equal(await dump(port, database), original);
  await assert.rejects(client("psql", port, ["-c", "select 1 / 0"]), /division by zero/);
  const suicide = client("psql", port, ["-c", "select pg_terminate_backend(pg_backend_pid())"]);
  await assert.rejects(suicide, /terminating connection due to administrator command/);
  await Promise.all([tunnel.drain(), exposure.drain()]);
  assert.deepEqual(errors, []);
}

for (const url of URLS) {
  const scheme = url.slice(0, url.indexOf(":"));
  test(`psql and pg_dump over ${scheme}`, async () => {
    const at = hub.urls.find((one) => one.startsWith(`${scheme}:`))!;
    await using caller = await connect(at, { transports });
    await using worker = await connect(at, { transports });
    await use(caller, worker, { host: "127.0.0.1", port: postgres.port }, scheme);
  });
}

test("psql and pg_dump inside the hub's own process, to a unix socket", async () => {
  await use(hub, hub, { path: postgres.path }, "inside");
});
