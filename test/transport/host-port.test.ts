import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback, parseHostPort } from "../../src/transport/host-port.ts";

test("addresses", () => {
  assert.deepEqual(parseHostPort("127.0.0.1:8500"), { host: "127.0.0.1", port: 8500 });
  assert.deepEqual(parseHostPort("8500"), { host: "127.0.0.1", port: 8500 });
  assert.deepEqual(parseHostPort("[::1]:0"), { host: "::1", port: 0 });
  assert.deepEqual(parseHostPort("my-host.example:80"), { host: "my-host.example", port: 80 });
  for (const text of ["", "localhost", "::1:80", "host:", ":80", "h:65536", "http://a:80", "a b:80"]) {
    assert.equal(parseHostPort(text), undefined, text);
  }
});

test("only loopback is loopback", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST"])
    assert.ok(isLoopback(host), host);
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.com", "localhost.example.com", ""]) {
    assert.equal(isLoopback(host), false, host);
  }
});
