/** Which pages, and which host names, a listener answers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { ANYWHERE, AccessRule, type ListenerAddress, type Standing } from "../../src/transport/origins.ts";

const LOOPBACK: ListenerAddress = { isLoopback: true, names: ["127.0.0.1", "workstation"] };
const IS_ADDRESS = /^(?:\d+\.){3}\d+$|^\[/;
const NETWORK: ListenerAddress = { isLoopback: false, names: ["192.168.1.5"] };
const HOST = "localhost:8500";

/** Origin, Sec-Fetch-Site, Referer, what that makes of the page, and in front of TLS. */
type Row = [origin: string | undefined, site: string | undefined, referer: string | undefined, Standing];

const ROWS: readonly Row[] = [
  [undefined, undefined, undefined, "own"], // a program
  [undefined, "none", undefined, "own"], // somebody typed the address
  [undefined, "same-origin", undefined, "own"],
  ["http://localhost:8500", undefined, undefined, "own"],
  ["http://localhost:8500", "same-origin", undefined, "own"],
  ["https://localhost:8500", "same-origin", undefined, "own"], // a proxy has taken TLS off
  ["null", "same-origin", undefined, "own"], // a form of a page that hides its address
  [undefined, undefined, "http://localhost:8500/page?x", "own"],
  ["https://app.example", "cross-site", undefined, "listed"],
  ["https://app.example", undefined, undefined, "listed"],
  [undefined, "cross-site", "https://app.example/page", "listed"],
  [undefined, undefined, "https://app.example/", "listed"],
  ...["cross-site", "same-site", "", "Same-Origin", "same-origin,cross-site", "same-origin, none"].map(
    (site): Row => [undefined, site, undefined, "foreign"],
  ),
  [undefined, "cross-site", "http://localhost:8500/", "foreign"],
  [undefined, undefined, "https://evil.example/", "foreign"],
  [undefined, undefined, "about:client", "foreign"],
  [undefined, undefined, "nothing", "foreign"],
  ["http://localhost:8500", "cross-site", undefined, "foreign"],
  ["null", undefined, undefined, "foreign"],
  ["null", "none", undefined, "foreign"],
  ["null", "cross-site", undefined, "foreign"],
  ...[
    "",
    "https://evil.example",
    "http://localhost",
    "http://localhost:850",
    "http://localhost:85000",
    "http://localhost:08500",
    "http://localhost.:8500",
    "http://LOCALHOST:8500",
    "HTTP://localhost:8500",
    "http://localhost:8500/",
    "http://localhost:8500.evil.example",
    "http://localhost:8500@evil.example",
    "http://evil.example@localhost:8500",
    "http://127.0.0.1:8500",
    "http://[::1]:8500",
    "ws://localhost:8500",
    "file://localhost:8500",
    "chrome-extension://localhost:8500",
    "http://localhost:8500,http://localhost:8500",
    "http://localhost:8500, http://evil.example",
    "http://app.example",
    "https://app.example.",
    "https://APP.example",
    "https://app.example:443",
    "https://app.example:8443",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "https://x.app.example",
  ].map((origin): Row => [origin, undefined, undefined, "foreign"]),
];

for (const [origin, site, referer, standing] of ROWS) {
  test(`Origin ${origin}, Sec-Fetch-Site ${site}, Referer ${referer}: ${standing}`, () => {
    const rule = new AccessRule({ origins: ["https://app.example"] });
    const clues = { origin, site, referer, host: HOST };
    assert.equal(rule.standingOf({ ...clues, isSecure: false }), standing);
    if (standing !== "own") return;
    assert.equal(new AccessRule().standingOf({ ...clues, isSecure: false }), "own");
    const isPlain = origin?.startsWith("http:") === true || referer?.startsWith("http:") === true;
    assert.equal(rule.standingOf({ ...clues, isSecure: true }), isPlain ? "foreign" : "own");
  });
}

test("a star lists every page", () => {
  const rule = new AccessRule({ origins: ["*"] });
  for (const origin of ["https://evil.example", "null", ""])
    assert.equal(
      rule.standingOf({ origin, site: "cross-site", referer: undefined, host: HOST, isSecure: false }),
      "listed",
    );
});

test("on loopback only loopback names are answered, and what is configured", () => {
  const plain = new AccessRule();
  const listed = new AccessRule({ hosts: ["Hub.example", "[fd00::1]"] });
  const any = new AccessRule({ hosts: ["*"] });
  const ownPort = new AccessRule({ isPlain: true });
  const own = [
    ...["localhost", "LOCALHOST", "localhost.", "app.localhost", "127.0.0.1", "127.255.0.9", "[::1]"],
    ...["[0:0::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "workstation"],
  ];
  const foreign = [
    ...["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost", "notlocalhost"],
    ...["localhost.example", "128.0.0.1", "10.0.0.1", "0.0.0.0", "[::2]", "[::ffff:10.0.0.1]", "a", "hub"],
    ...["user@localhost", "localhost/", "local host", "localhost:8500:1", "", "127.0.0.1.nip.io"],
  ];
  for (const name of own)
    for (const port of ["", ":1", ":8500"]) {
      assert.ok(plain.admitsHost(name + port, LOOPBACK), name);
      assert.ok(listed.admitsHost(name + port, LOOPBACK), name);
    }
  for (const name of foreign) {
    assert.ok(!plain.admitsHost(name, LOOPBACK), name);
    assert.ok(!plain.admitsHost(`${name}:8500`, LOOPBACK), name);
    assert.ok(any.admitsHost(name, LOOPBACK), name);
    assert.ok(plain.admitsHost(name, NETWORK), name);
    assert.ok(plain.admitsHost(name, ANYWHERE), name);
    assert.ok(ownPort.admitsHost(name, ANYWHERE), name);
    assert.equal(ownPort.admitsHost(name, NETWORK), IS_ADDRESS.test(name), name);
  }
  for (const name of ["hub.example", "HUB.example:443", "hub.example.", "[fd00:0::1]:80"]) {
    assert.ok(listed.admitsHost(name, LOOPBACK), name);
    assert.ok(listed.admitsHost(name, NETWORK), name);
    assert.ok(!plain.admitsHost(name, LOOPBACK), name);
  }
  assert.ok(!listed.admitsHost("evil.example", NETWORK));
  assert.ok(listed.admitsHost("192.168.1.5:8500", NETWORK), "an address cannot be made to point elsewhere");
  assert.ok(plain.admitsHost(undefined, LOOPBACK), "no browser leaves it out");
});

test("a name that was good at one listener is not so at another", () => {
  const rule = new AccessRule();
  assert.ok(rule.admitsHost("evil.example", NETWORK));
  assert.ok(!rule.admitsHost("evil.example", LOOPBACK));
});

test("hosts that are none are refused", () => {
  for (const host of ["", "hub.example:80", "http://hub.example", "*.example", "hub.example/", "a b", "::1"])
    assert.throws(() => new AccessRule({ hosts: [host] }), TypeError, host);
});

for (const [host, isLoopback] of [
  ["127.0.0.1", true],
  ["127.0.0.9", true],
  ["localhost", true],
  ["0.0.0.0", false],
] as const) {
  test(`a connection to a listener on ${host} is ${isLoopback ? "" : "not "}to a loopback one`, async () => {
    const rule = new AccessRule();
    const server = createServer();
    server.listen(0, host);
    await once(server, "listening");
    const { connect } = await import("node:net");
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const { port, address } = server.address() as AddressInfo;
    const socket = connect(port, host === "0.0.0.0" ? "127.0.0.1" : address);
    const [other] = await accepted;
    const at = rule.addressOf(other);
    assert.equal(at.isLoopback, isLoopback);
    assert.equal(rule.addressOf(other), at);
    server.close();
    assert.equal(rule.addressOf(other), at, "also when it takes no others any more");
    socket.destroy();
    other.destroy();
  });
}
