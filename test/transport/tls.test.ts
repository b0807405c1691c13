import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect as connectTcp, type AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { http1s } from "../../src/transport/http1/transport.ts";
import { h2 } from "../../src/transport/http2/transport.ts";
import { tls } from "../../src/transport/tls.ts";
import { wss } from "../../src/transport/ws/transport.ts";
import type { Listener, TlsOptions, Transport } from "../../src/transport/transport.ts";
import { AUTHORITY, STRANGER, TRUSTING, pair } from "./certificates.ts";

/** A listener whose connections send back what they get. */
async function echo(transport: Transport, options: TlsOptions): Promise<Listener> {
  return transport.listen(
    `${transport.scheme}://localhost:0`,
    (connection) =>
      connection.open({
        data: (bytes) => void connection.send(bytes),
        drained: () => undefined,
        closed: () => undefined,
      }),
    { tls: options },
  );
}

/** Dials, sends a few bytes and waits for them; rejects with what goes wrong on the way. */
async function exchange(transport: Transport, url: string, options?: TlsOptions): Promise<void> {
  const end = new ByteEnd(await transport.dial(url, options === undefined ? {} : { tls: options }));
  end.connection.send(Buffer.from("hello"));
  await end.until(() => end.length === 5 || end.closedCount > 0);
  end.connection.abort();
  if (end.length < 5) throw end.error ?? new Error("the connection ended without a word");
}

for (const transport of [tls, wss, h2, http1s]) {
  const { scheme } = transport;

  describe(`${scheme}: certificates of the server`, () => {
    test("bytes go both ways when the certificate is trusted and for this host", async () => {
      const listener = await echo(transport, pair("server"));
      await exchange(transport, listener.url, TRUSTING);
      await exchange(transport, listener.url.replace("localhost", "127.0.0.1"), TRUSTING);
      await listener.close();
    });

    test("one that nobody trusted vouches for is refused, by default too, with what to do", async () => {
      const listener = await echo(transport, pair("server"));
      await assert.rejects(exchange(transport, listener.url), /tls\.ca.*UNABLE_TO_VERIFY_LEAF_SIGNATURE/);
      await assert.rejects(exchange(transport, listener.url, { ca: STRANGER }), /tls\.ca/);
      await listener.close();
    });

    test("one for another host is refused, unless that host is wanted", async () => {
      const listener = await echo(transport, pair("elsewhere"));
      await assert.rejects(exchange(transport, listener.url, TRUSTING), /"localhost".*tls\.serverName/);
      await exchange(transport, listener.url, { ...TRUSTING, serverName: "hub.example" });
      await assert.rejects(
        exchange(transport, listener.url, { ...TRUSTING, serverName: "10.0.0.1" }),
        /10\.0\.0\.1/,
      );
      await listener.close();
    });

    test("one that has expired is refused", async () => {
      const listener = await echo(transport, pair("expired"));
      await assert.rejects(exchange(transport, listener.url, TRUSTING), /has expired.*CERT_HAS_EXPIRED/);
      await listener.close();
    });

    test("a server without TLS, or of another protocol, is said to be one", async () => {
      const server = createServer((socket) => socket.end("220 mail.example ESMTP\r\n")).listen(
        0,
        "127.0.0.1",
      );
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      await assert.rejects(
        exchange(transport, `${scheme}://127.0.0.1:${port}`, TRUSTING),
        /does not speak TLS/,
      );
      server.close();
    });
  });

  describe(`${scheme}: certificates of clients`, () => {
    const asking: TlsOptions = { ...pair("server"), ca: AUTHORITY, requireClientCert: true };

    test("a client whose certificate is vouched for gets in", async () => {
      const listener = await echo(transport, asking);
      await exchange(transport, listener.url, { ...TRUSTING, ...pair("client") });
      await listener.close();
    });

    test("a client without one is told that it needs one", async () => {
      const listener = await echo(transport, asking);
      await assert.rejects(
        exchange(transport, listener.url, TRUSTING),
        /asks for a client certificate.*tls\.cert/,
      );
      await listener.close();
    });

    test("a client with somebody else's is cut off before a byte is taken", async () => {
      const listener = await transport.listen(
        `${scheme}://localhost:0`,
        () => assert.fail("a stranger got in"),
        { tls: asking },
      );
      await assert.rejects(exchange(transport, listener.url, { ...TRUSTING, ...pair("strange-client") }));
      await listener.close();
    });
  });

  describe(`${scheme}: other certificates without a restart`, () => {
    /** The subject of the certificate that a new connection is shown. */
    async function shown(url: string): Promise<string> {
      const { port } = new URL(url.replace(/^[a-z]+/, "http"));
      const socket = connectTls({ port: Number(port), host: "localhost", ca: AUTHORITY });
      await once(socket, "secureConnect");
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return String(CN);
    }

    test("new connections see the new ones, open connections stay", async () => {
      const listener = await echo(transport, pair("server"));
      const before = new ByteEnd(await transport.dial(listener.url, { tls: TRUSTING }));
      assert.equal(await shown(listener.url), "server");
      listener.reload!(pair("renewed"));
      assert.equal(await shown(listener.url), "renewed");
      before.connection.send(Buffer.from("still here"));
      await before.until(() => before.length === 10);
      before.connection.abort();
      await listener.close();
    });

    test("those that cannot be used change nothing", async () => {
      const listener = await echo(transport, pair("server"));
      const { cert } = pair("renewed");
      assert.throws(() => listener.reload!({ cert, key: pair("server").key }), /cannot be used/);
      assert.throws(() => listener.reload!({ cert, key: "none" }), /tls\.key has no private key/);
      assert.throws(
        () => listener.reload!({ ...pair("renewed"), ca: AUTHORITY, requireClientCert: true }),
        /cannot be changed/,
      );
      assert.equal(await shown(listener.url), "server");
      await listener.close();
    });
  });

  test(`${scheme}: options that are missing, or wrong, are named at once`, async () => {
    const url = `${scheme}://localhost:0`;
    const listening = (options?: TlsOptions): Promise<Listener> =>
      transport.listen(url, () => undefined, options === undefined ? {} : { tls: options });
    await assert.rejects(listening(), /needs tls\.cert and tls\.key/);
    await assert.rejects(listening({ cert: pair("server").cert }), /needs tls\.cert and tls\.key/);
    await assert.rejects(listening({ ...pair("server"), requireClientCert: true }), /needs tls\.ca/);
    await assert.rejects(listening({ ...pair("server"), ca: "" }), /tls\.ca has no certificate/);
    await assert.rejects(listening({ ...pair("server"), serverName: "a" }), /for dialing/);
    const dialing = (options: TlsOptions): Promise<unknown> =>
      transport.dial(`${scheme}://localhost:1`, { tls: options });
    await assert.rejects(dialing({ cert: pair("client").cert }), /together/);
    await assert.rejects(dialing({ ca: new Uint8Array(0) }), /tls\.ca has no certificate/);
    await assert.rejects(dialing({ ...TRUSTING, requireClientCert: true }), /for listening/);
  });

  test(`${scheme}: who does not finish the handshake is cut off`, async () => {
    const listener = await transport.listen(`${scheme}://localhost:0`, () => assert.fail("not open"), {
      tls: pair("server"),
      handshakeTimeoutMs: 50,
    });
    const { port } = new URL(listener.url.replace(/^[a-z]+/, "http"));
    const silent = connectTcp(Number(port), "localhost");
    silent.on("error", () => undefined).resume();
    await new Promise((resolve) => silent.once("close", resolve));
    await listener.close();
  });
}

describe("tls: the application protocol", () => {
  async function ask(protocols: string[] | undefined): Promise<void> {
    const listener = await tls.listen("tls://localhost:0", () => assert.fail("not a client of ours"), {
      tls: pair("server"),
    });
    const { port } = new URL(listener.url.replace("tls:", "http:"));
    const socket = connectTls({
      port: Number(port),
      host: "localhost",
      ca: AUTHORITY,
      ...(protocols === undefined ? {} : { ALPNProtocols: protocols }),
    });
    socket.on("error", () => undefined).resume();
    await new Promise((resolve) => socket.once("close", resolve));
    await listener.close();
  }

  test("clients that ask for another, or for none, are cut off", async () => {
    await ask(["http/1.1"]);
    await ask(undefined);
  });

  test("a server of another protocol is said to be one", async () => {
    const web = await wss.listen("wss://localhost:0", () => undefined, { tls: pair("server") });
    await assert.rejects(
      tls.dial(web.url.replace("wss:", "tls:").replace(/\/$/, ""), { tls: TRUSTING }),
      /not the protocol that was asked for/,
    );
    await web.close();
  });
});
