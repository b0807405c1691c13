/** What connections tell of who is at their other end. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { WebSocket } from "ws";
import { createHub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import { TestAccess } from "../../src/testing/test-access.ts";
import { canPassDescriptors } from "../../src/transport/descriptors/libc.ts";
import { AUTHORITY, pair } from "../transport/certificates.ts";
import { helloBytes } from "../wire/frame-bytes.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-identities-"));
after(() => rmSync(folder, { recursive: true }));

const server = { ...pair("server"), ca: AUTHORITY, requireClientCert: true };
const client = { ...pair("client"), ca: AUTHORITY };

describe("a session tells an access", () => {
  for (const scheme of ["tls", "wss", "h2", "http1s"]) {
    test(`the client's certificate over ${scheme}, and its token`, async () => {
      const access = new TestAccess();
      const listen = [{ url: `${scheme}://127.0.0.1:0`, tls: server }];
      const hub = await createHub({ http: false, listen, access });
      const peer = await connect(hub.urls[0]!, { tls: client, token: "t" });
      const [{ token, certificate, unix }] = access.credentials as [(typeof access.credentials)[0]];
      await peer.close();
      await hub.close();
      assert.equal(token, "t");
      assert.equal(certificate?.commonName, "client");
      assert.equal(certificate.subject, "CN=client");
      assert.match(certificate.issuer, /^CN=Lintel test/);
      assert.match(certificate.fingerprint256, /^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/);
      assert.ok(certificate.raw.length > 100 && certificate.names.every((name) => name.includes(":")));
      assert.equal(unix, undefined);
    });
  }

  test("no certificate where none was asked for", async () => {
    const access = new TestAccess();
    const listen = [{ url: "tls://127.0.0.1:0", tls: pair("server") }, "tcp://127.0.0.1:0"];
    const hub = await createHub({ http: false, listen, access });
    const [tls, tcp] = hub.urls;
    const peers = [await connect(tls!, { tls: client }), await connect(tcp!)];
    await Promise.all(peers.map((peer) => peer.close()));
    await hub.close();
    assert.deepEqual(
      access.credentials.map(({ certificate }) => certificate),
      [undefined, undefined],
    );
  });

  const skip = canPassDescriptors() ? false : "the platform does not tell";
  test("the process at the other end of a unix socket", { skip }, async () => {
    const access = new TestAccess();
    const hub = await createHub({ http: false, listen: [`unix://${join(folder, "hub.sock")}`], access });
    const peer = await connect(hub.urls[0]!);
    await peer.close();
    await hub.close();
    const { pid, getuid, getgid } = process;
    assert.deepEqual(access.credentials[0]?.unix, { pid, uid: getuid!(), gid: getgid!() });
  });

  test("the token of the HTTP request that it was opened by, unless HELLO has one", async () => {
    const access = new TestAccess();
    const hub = await createHub({ listen: [], http: { port: 0 }, access });
    const limits = { "max-payload": "1048576", "max-headers": "32768" };
    for (const headers of [limits, { ...limits, token: "of-hello" }]) {
      const socket = new WebSocket(hub.sessionUrl!, "lintel.v1", {
        headers: { authorization: "Bearer of-request" },
      });
      await new Promise((resolve) => socket.on("open", resolve));
      const welcomed = new Promise((resolve) => socket.once("message", resolve));
      socket.send(helloBytes(headers));
      await welcomed;
      socket.close();
    }
    await hub.close();
    assert.deepEqual(
      access.credentials.map(({ gateway, token }) => [gateway, token]),
      [
        ["native", "of-request"],
        ["native", "of-hello"],
      ],
    );
  });
});
