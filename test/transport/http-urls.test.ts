/** URLs and options of sessions over HTTP: what is refused before anything is sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { http1, http1s } from "../../src/transport/http1/transport.ts";
import { h2, h2c } from "../../src/transport/http2/transport.ts";
import { TRUSTING, pair } from "./certificates.ts";

const ignore = (): void => undefined;

test("a server that does not speak HTTP/2 is noticed", async () => {
  const listener = await http1s.listen("http1s://127.0.0.1:0", ignore, { tls: pair("server") });
  const url = listener.url.replace("http1s", "h2");
  await assert.rejects(h2.dial(url, { tls: TRUSTING, timeoutMs: 5_000 }), Error);
  await listener.close();
});

test("certificates where they have no use, and URLs of another form, are refused", async () => {
  for (const transport of [h2c, http1]) {
    const { scheme } = transport;
    const url = `${scheme}://127.0.0.1:0`;
    await assert.rejects(transport.dial(url, { tls: TRUSTING }), TypeError);
    await assert.rejects(transport.listen(url, ignore, { tls: pair("server") }), TypeError);
    for (const wrong of ["127.0.0.1", ":1", "u:p@h:1", "h:1/?q", "h:1/#f", "h:1/a//b", "h:1/%41", "h:x"]) {
      await assert.rejects(transport.dial(`${scheme}://${wrong}`), /HOST:PORT\/PATH/, wrong);
      await assert.rejects(transport.listen(`${scheme}://${wrong}`, ignore), /HOST:PORT\/PATH/, wrong);
    }
  }
});
