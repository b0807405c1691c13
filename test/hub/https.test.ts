/** The HTTP gateway over TLS. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { before, test, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import { connect, createHub, type Hub, type HubConfig } from "../../src/index.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { AUTHORITY, TRUSTING, pair } from "../transport/certificates.ts";

const CA = join(root, "test/certificates/authority.pem");

before(() => provide("curl"));

async function start(context: TestContext, config: HubConfig): Promise<Hub> {
  const hub = await createHub({ listen: [], ...config });
  context.after(() => hub.close());
  await hub.serve("echo", (value) => value);
  return hub;
}

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("curl", ["-sS", "--cacert", CA, ...args]);
  return stdout;
}

test("requests and sessions come over TLS when there are certificates", async (context) => {
  const hub = await start(context, { http: { host: "localhost", port: 0 }, tls: pair("server") });
  const port = Number(new URL(hub.httpUrl!).port);
  assert.match(hub.httpUrl!, /^https:/);
  assert.match(hub.sessionUrl!, /^wss:/);
  assert.equal(await curl("-d", '{"a":1}', `https://localhost:${port}/echo`), '{"a":1}');
  const statuses = await curl("-o", "/dev/null", "-w", "%{http_code}", `https://localhost:${port}/nobody`);
  assert.equal(statuses, "503");
  for (const scheme of ["wss", "http1s"]) {
    const peer = await connect(`${scheme}://localhost:${port}`, { tls: TRUSTING });
    context.after(() => peer.close());
    await peer.serve(`over.${scheme}`, (value) => value);
    assert.equal(await curl("-d", "[2]", `https://localhost:${port}/over/${scheme}`), "[2]");
    await peer.close();
  }
  await assert.rejects(curl(`http://localhost:${port}/echo`), "in the clear there is no answer");
});

test("clients without a certificate are refused where one is required", async (context) => {
  const tls = { ...pair("server"), ca: AUTHORITY, requireClientCert: true };
  const hub = await start(context, { http: { port: 0, tls } });
  const [cert, key] = [
    join(root, "test/certificates/client.pem"),
    join(root, "test/certificates/client.key"),
  ];
  assert.equal(await curl("--cert", cert, "--key", key, "-d", "[]", `${hub.httpUrl}/echo`), "[]");
  await assert.rejects(curl("-d", "[]", `${hub.httpUrl}/echo`));
});

test("certificates are renewed without a restart, and a gateway may go without", async (context) => {
  const hub = await start(context, { http: { port: 0 }, tls: pair("expired") });
  await assert.rejects(curl("-d", "[]", `${hub.httpUrl}/echo`), /expired/);
  hub.reloadTls(hub.httpUrl!, pair("server"));
  assert.equal(await curl("-d", "[]", `${hub.httpUrl}/echo`), "[]");
  assert.throws(() => hub.reloadTls(hub.httpUrl!, { cert: "x" }), TypeError);
  const plain = await start(context, { http: { port: 0, tls: false }, tls: pair("server") });
  assert.match(plain.httpUrl!, /^http:/);
  assert.throws(() => plain.reloadTls(plain.httpUrl!, pair("server")), TypeError);
  await assert.rejects(createHub({ listen: [], http: { port: 0 }, tls: { cert: "x" } }), TypeError);
});

test("a drain waits for no caller that has asked nothing, and who does not shake hands is cut off", async (context) => {
  const hub = await start(context, { http: { port: 0, headersTimeoutMs: 50 }, tls: pair("server") });
  const port = Number(new URL(hub.httpUrl!).port);
  const silent = connectTcp(port, "127.0.0.1");
  await once(silent, "connect");
  silent.on("error", () => undefined).resume();
  await once(silent, "close");
  const other = await start(context, { http: { port: 0 }, tls: pair("server") });
  const mute = connectTls({ port: Number(new URL(other.httpUrl!).port), host: "127.0.0.1", ca: AUTHORITY });
  await once(mute, "secureConnect");
  mute.on("error", () => undefined).resume();
  const closed = once(mute, "close");
  await other.drain();
  await closed;
});
