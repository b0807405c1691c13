import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createHub, type Hub } from "../../src/index.ts";
import { root } from "../house/root.ts";
import { lintel, start } from "./cli-process.ts";

const cwd = join(root, "test/certificates");
const SCHEMES = ["tls", "wss", "h2", "http1s"];
const NOTHING = { exit: 0, stdout: "", stderr: "" };
const AUTHORITY = ["--tls-ca", "authority.pem"];

let hub: Hub;
/** Of a listener that asks for a certificate. */
let guarded = "";
/** Of one without TLS. */
let plain = "";
before(async () => {
  const [cert, key, ca] = ["server.pem", "server.key", "authority.pem"].map((name) =>
    readFileSync(join(cwd, name), "utf8"),
  );
  const tls = { cert: cert!, key: key! };
  const listen = SCHEMES.map((scheme) => ({ url: `${scheme}://localhost:0`, tls }));
  const strict = { url: "tls://localhost:0", tls: { ...tls, ca: ca!, requireClientCert: true } };
  hub = await createHub({ http: false, listen: [...listen, strict, "tcp://127.0.0.1:0"] });
  await hub.serve("echo", (value) => value);
  [guarded = "", plain = ""] = hub.urls.slice(SCHEMES.length);
});
after(() => hub.close());

test("--tls-ca names the authority of a hub's certificate, whatever carries the session", async () => {
  const outcomes = await Promise.all(
    SCHEMES.map((_, index) =>
      lintel(["request", "echo", "[1]", "--hub", hub.urls[index]!, ...AUTHORITY], { cwd }),
    ),
  );
  for (const [index, outcome] of outcomes.entries())
    assert.deepEqual(outcome, { exit: 0, stdout: "[1]", stderr: "" }, SCHEMES[index]);
});

test("every command that connects takes it, by variables too", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lintel-tls-"));
  const app = join(directory, "app.mjs");
  await writeFile(app, "export default (request, response) => response.end('app');");
  const env = {
    LINTEL_HUB: guarded,
    LINTEL_TLS_CA: "authority.pem",
    LINTEL_TLS_CERT: "client.pem",
    LINTEL_TLS_KEY: "client.key",
  };
  const stays = [
    ["work", "cat", "--", "cat"],
    ["work-app", app, "--subject", "app"],
    ["expose", "port", "127.0.0.1:9"],
    ["tunnel", "--listen", "127.0.0.1:0", "--subject", "port"],
    ["subscribe", "news", "--count", "1"],
  ];
  const running = stays.map((args) => start(args, { cwd, env }));
  try {
    await Promise.all(running.map((one) => one.prints(new RegExp(` at ${guarded}`), "stderr")));
    assert.deepEqual(await lintel(["publish", "news", "now"], { cwd, env }), NOTHING);
    assert.equal((await running.at(-1)!.ended).stdout, "now\n");
    assert.equal((await lintel(["request", "cat", "[2]"], { cwd, env })).stdout, "[2]");
  } finally {
    for (const one of running) await one[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  }
});

test("without them it says which are missing and how they are given", async () => {
  const args = ["request", "echo"];
  const [authority, certificate] = await Promise.all([
    lintel([...args, "--hub", hub.urls[0]!], { cwd }),
    lintel([...args, "--hub", guarded, ...AUTHORITY], { cwd }),
  ]);
  assert.match(authority.stderr, /NOT_CONNECTED: .* pass the authority.s certificate as tls\.ca/);
  assert.match(certificate.stderr, /NOT_CONNECTED: .* pass one as tls\.cert and tls\.key/);
  for (const { exit, stderr } of [authority, certificate]) {
    assert.equal(exit, 3);
    assert.match(stderr, /\n {2}.*--tls-ca FILE gives tls\.ca, --tls-cert FILE and --tls-key FILE give/);
  }
});

test("files and flags that cannot be used are said so; variables are for hubs with TLS alone", async () => {
  const request = ["request", "echo", "[3]"];
  const tls = [...request, "--hub", guarded];
  const refused: [args: string[], said: RegExp][] = [
    [[...tls, "--tls-ca", "nowhere.pem"], /^lintel: USAGE: --tls-ca: cannot read nowhere\.pem: ENOENT/],
    [[...tls, "--tls-ca", ""], /^lintel: USAGE: --tls-ca: cannot read /],
    [[...tls, "--tls-ca", "make.sh"], /^lintel: USAGE: --tls-ca: make\.sh has no certificate in PEM\n/],
    [
      [...tls, "--tls-cert", "client.pem", "--tls-key", "client.pem"],
      /^lintel: USAGE: --tls-key: client\.pem has no private key in PEM\n/,
    ],
    [[...tls, "--tls-cert", "client.pem", "--tls-key", "server.key"], /^lintel: USAGE: .* cannot be used/],
    [[...tls, "--tls-key", "client.key"], /^lintel: USAGE: --tls-cert and --tls-key go together\n/],
    [[...request, ...AUTHORITY], /^lintel: USAGE: --tls-ca is for URLs with TLS .*, which tcp:\S+ is not\n/],
    [[...request, "--hub", "gopher://a:1", ...AUTHORITY], /^lintel: USAGE: .* has no known transport/],
  ];
  const outcomes = await Promise.all(refused.map(([args]) => lintel(args, { cwd })));
  for (const [index, { exit, stderr }] of outcomes.entries()) {
    assert.match(stderr, refused[index]![1]);
    assert.equal(exit, 2);
  }
  const env = { LINTEL_TLS_CA: "nowhere.pem", LINTEL_TLS_CERT: "", LINTEL_TLS_KEY: "" };
  assert.equal((await lintel([...request, "--hub", plain], { cwd, env })).stdout, "[3]");
  const { exit, stderr } = await lintel(tls, { cwd, env });
  assert.match(stderr, /^lintel: USAGE: LINTEL_TLS_CA: cannot read nowhere\.pem/);
  assert.equal(exit, 2);
});
