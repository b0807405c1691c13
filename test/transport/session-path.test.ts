import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { h2c } from "../../src/transport/http2/transport.ts";
import { http1 } from "../../src/transport/http1/transport.ts";
import { ws } from "../../src/transport/ws/transport.ts";

for (const transport of [ws, h2c, http1]) {
  const { scheme } = transport;
  test(`${scheme}: a URL without a path means the one of sessions, at both ends`, async () => {
    const accepted: ByteEnd[] = [];
    const listener = await transport.listen(`${scheme}://127.0.0.1:0`, (connection) => {
      accepted.push(new ByteEnd(connection));
    });
    const { port, pathname } = new URL(listener.url);
    assert.equal(pathname, "/.lintel/session");
    for (const url of [`${scheme}://127.0.0.1:${port}`, `${scheme}://127.0.0.1:${port}/`, listener.url]) {
      const end = new ByteEnd(await transport.dial(url));
      end.connection.close();
      await end.over();
    }
    assert.equal(accepted.length, 3);
    await listener.close();
  });
}
