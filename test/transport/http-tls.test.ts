/** Certificates over h2 and http1s: who is let in, and what is refused before anything is sent. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { http1, http1s } from "../../src/transport/http1/transport.ts";
import { h2, h2c } from "../../src/transport/http2/transport.ts";
import type { TlsOptions, Transport } from "../../src/transport/transport.ts";
import { CLIENT_TLS, SERVER_TLS, TRUST } from "./h2-certificates.ts";

const ignore = (): void => undefined;

async function dialed(
  transport: Transport,
  server: TlsOptions,
  client: TlsOptions | undefined,
): Promise<boolean> {
  const listener = await transport.listen(
    `${transport.scheme}://127.0.0.1:0`,
    (connection) => void new ByteEnd(connection),
    { tls: server },
  );
  try {
    const connection = await transport.dial(listener.url, {
      ...(client === undefined ? {} : { tls: client }),
      timeoutMs: 5_000,
    });
    connection.abort();
    return true;
  } catch (error) {
    assert.ok(error instanceof Error);
    return false;
  } finally {
    await listener.close();
  }
}

for (const transport of [h2, http1s]) {
  describe(`certificates over ${transport.scheme}`, () => {
    test("the server's must be vouched for and name the host", async () => {
      assert.equal(await dialed(transport, SERVER_TLS, TRUST), true);
      assert.equal(await dialed(transport, SERVER_TLS, undefined), false, "not on the platform's list");
      assert.equal(await dialed(transport, SERVER_TLS, { ...TRUST, serverName: "server.test" }), true);
      assert.equal(await dialed(transport, SERVER_TLS, { ...TRUST, serverName: "other.test" }), false);
    });

    test("a client's is asked for when it is required", async () => {
      const strict = { ...SERVER_TLS, ca: TRUST.ca!, requireClientCert: true };
      assert.equal(await dialed(transport, strict, CLIENT_TLS), true);
      assert.equal(await dialed(transport, strict, TRUST), false);
    });

    test("listening without a certificate, or asking for others without an authority, is refused", async () => {
      const url = `${transport.scheme}://127.0.0.1:0`;
      for (const tls of [
        undefined,
        {},
        { cert: SERVER_TLS.cert! },
        { ...SERVER_TLS, requireClientCert: true },
      ]) {
        await assert.rejects(transport.listen(url, ignore, tls === undefined ? {} : { tls }), TypeError);
      }
    });
  });
}

test("a server that does not speak HTTP/2 is noticed", async () => {
  const listener = await http1s.listen("http1s://127.0.0.1:0", ignore, { tls: SERVER_TLS });
  const url = listener.url.replace("http1s", "h2");
  await assert.rejects(h2.dial(url, { tls: TRUST, timeoutMs: 5_000 }), Error);
  await listener.close();
});

test("certificates where they have no use, and URLs of another form, are refused", async () => {
  for (const transport of [h2c, http1]) {
    const { scheme } = transport;
    const url = `${scheme}://127.0.0.1:0`;
    await assert.rejects(transport.dial(url, { tls: TRUST }), TypeError);
    await assert.rejects(transport.listen(url, ignore, { tls: SERVER_TLS }), TypeError);
    for (const wrong of ["127.0.0.1", ":1", "u:p@h:1", "h:1/?q", "h:1/#f", "h:1/a//b", "h:1/%41", "h:x"]) {
      await assert.rejects(transport.dial(`${scheme}://${wrong}`), /HOST:PORT\/PATH/, wrong);
      await assert.rejects(transport.listen(`${scheme}://${wrong}`, ignore), /HOST:PORT\/PATH/, wrong);
    }
  }
});
