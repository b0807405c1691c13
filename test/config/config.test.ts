import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig, readConfig, type FileConfig } from "../../src/config/config.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { LintelError } from "../../src/message/failure.ts";
import { root } from "../house/root.ts";
import { AUTHORITY, pair } from "../transport/certificates.ts";

async function problems(source: string): Promise<string[]> {
  const outcome = await parseConfig(source, "lintel.yaml").then(
    (config) => assert.fail(`was taken as ${JSON.stringify(config)}`),
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof LintelError);
  assert.equal(outcome.reason, "BAD_CONFIG");
  assert.equal(outcome.code, "invalid_argument");
  return outcome.message.split("\n");
}

async function accepts(source: string, config: FileConfig): Promise<void> {
  assert.deepEqual(await parseConfig(source, "lintel.yaml"), config);
}

test("an empty file changes nothing", async () => {
  await accepts("", {});
  await accepts("# only a comment\n", {});
  await accepts("{}", {});
});

test("a whole file", async () => {
  const source = `
http:
  listen: 127.0.0.1:8600
  bodyLimit: 64KiB
  timeout: 5s
  defaultMapping: false
listen:
  - tcp://127.0.0.1:4600
  - unix:///run/lintel.sock
limits:
  payload: 2MiB
  timeout: 10s
  queue: 50
routes:
  - method: GET
    path: /users/{id}
    subject: users.{id}.get
    timeout: 500ms
    fallback: { status: 503, headers: { retry-after: "5" }, body: { error: later } }
  - method: [POST, PUT]
    path: /events/{rest...}
    subject: events
    mode: publish
    reply: { status: 202, body: thanks }
`;
  await accepts(source, {
    http: {
      listen: "127.0.0.1:8600",
      bodyLimit: 65_536,
      timeout: 5_000,
      defaultMapping: false,
      routes: [
        {
          method: "GET",
          path: "/users/{id}",
          subject: "users.{id}.get",
          timeout: 500,
          fallback: { status: 503, headers: { "retry-after": "5" }, body: { error: "later" } },
        },
        {
          method: ["POST", "PUT"],
          path: "/events/{rest...}",
          subject: "events",
          mode: "publish",
          reply: { status: 202, body: "thanks" },
        },
      ],
    },
    listen: ["tcp://127.0.0.1:4600", "unix:///run/lintel.sock"],
    limits: { payload: 2_097_152, timeout: 10_000, queue: 50 },
  });
});

test("the HTTP gateway in one word", async () => {
  await accepts("http: 0.0.0.0:80", { http: { listen: "0.0.0.0:80" } });
  await accepts("http: 8600", { http: { listen: 8600 } });
  await accepts("http: '[::1]:8600'", { http: { listen: "[::1]:8600" } });
  await accepts("http: false", { http: false });
});

test("jobs: yes, no, or how", async () => {
  await accepts("jobs: true", { jobs: true });
  await accepts("jobs: false", { jobs: false });
  const source = `
jobs:
  compat: astrohub
  wait: 20s
  maxWait: 1m
  linger: 5m
  maxPolls: 100
  maxServices: 10
  services:
    image.resize: { delivery: at-least-once, lease: 10s, attempts: 3 }
    mail:
`;
  await accepts(source, {
    jobs: {
      compat: "astrohub",
      wait: 20_000,
      maxWait: 60_000,
      linger: 300_000,
      maxPolls: 100,
      maxServices: 10,
      services: { "image.resize": { delivery: "at-least-once", lease: 10_000, attempts: 3 }, mail: {} },
    },
  });
  const wrong = `jobs:
  wiat: 5s
  compat: astro
  services:
    a..b: {}
    _inbox: {}
    mail: { attempts: 3 }
    post: { delivery: twice }
`;
  assert.deepEqual(await problems(wrong), [
    'lintel.yaml:2:3: jobs has no key "wiat"; did you mean "wait"?',
    'lintel.yaml:3:11: compat must be one of astrohub, not "astro"',
    'lintel.yaml:5:5: jobs option services["a..b"] is not a subject such as image.resize',
    'lintel.yaml:6:5: jobs option services["_inbox"] is not a subject such as image.resize',
    'lintel.yaml:7:5: jobs option services["mail"].attempts needs delivery: at-least-once',
    'lintel.yaml:8:23: delivery must be one of at-most-once, at-least-once, not "twice"',
  ]);
  assert.deepEqual(await problems("jobs: 5"), ["lintel.yaml:1:7: jobs must be true or false, not 5"]);
});

test("routes open no gateway of their own: defaults stay", async () => {
  await accepts("routes: [{ path: /a, subject: a }]", { http: { routes: [{ path: "/a", subject: "a" }] } });
});

test("every limit can be set", async () => {
  for (const name of Object.keys(DEFAULT_LIMITS))
    await accepts(`limits: { ${name}: 1000 }`, { limits: { [name]: 1000 } });
});

test("every problem is reported at once, each at its place", async () => {
  const source = `htp: 127.0.0.1:8500
http:
  bodyLimit: 3 bananas
limits:
  paylod: 5
  timeout: soon
  headers: 1MiB
routes:
  - path: /a
    subjct: a
    mode: publisch
  - paht: /b
`;
  assert.deepEqual(await problems(source), [
    'lintel.yaml:1:1: the file has no key "htp"; did you mean "http"?',
    'lintel.yaml:3:14: bodyLimit must be a size such as 65536, "64KiB" or "1MiB" (B, KB, KiB, MB, MiB, GB, GiB), at most 2147483647 bytes, not "3 bananas"',
    'lintel.yaml:5:3: limits has no key "paylod"; did you mean "payload"?',
    'lintel.yaml:6:12: timeout must be a time such as "500ms", "5s", "2m" or "1h", at most 2147483647 ms, not "soon"',
    'lintel.yaml:7:12: headers must be a size such as 65536, "64KiB" or "1MiB" (B, KB, KiB, MB, MiB, GB, GiB), at most 65535 bytes, not "1MiB"',
    'lintel.yaml:9:5: a route needs "subject"',
    'lintel.yaml:10:5: a route has no key "subjct"; did you mean "subject"?',
    'lintel.yaml:11:11: mode must be one of request, publish, app, not "publisch"; did you mean "publish"?',
    'lintel.yaml:12:5: a route has no key "paht"; did you mean "path"?',
    'lintel.yaml:12:5: a route needs "path"',
    'lintel.yaml:12:5: a route needs "subject"',
  ]);
});

test("what the HTTP gateway would refuse is found where it stands", async () => {
  const source = `routes:
  - { path: no-slash, subject: a }
  - { path: /a, subject: "not a subject" }
  - { path: /b, subject: b }
  - { path: /b, subject: c }
  - { path: /c, subject: c, method: get }
  - { path: /d, subject: d, reply: {} }
`;
  assert.deepEqual(
    (await problems(source)).map((line) => line.slice(0, 50)),
    [
      "lintel.yaml:2:5: route 1 (no-slash): path must beg",
      'lintel.yaml:3:5: route 2 (/a): subject "not a subj',
      "lintel.yaml:5:5: route 4 (/b) takes the same reque",
      'lintel.yaml:6:5: route 5 (/c): "get" is not a meth',
      'lintel.yaml:7:5: route 6 (/d): reply needs mode "p',
    ],
  );
});

test("wrong kinds of values", async () => {
  const wrong: [source: string, problem: RegExp][] = [
    [
      "- a list",
      /:1:1: the file must be a map with "http", "routes", "tunnel", "jobs", "text", "commands", "grpc", "beam", "listen", "access", "insecure", "accessLog", "tls", "engine", "limits", "services", "gateways", not a list/,
    ],
    ["just text", /:1:1: the file must be a map .*, not "just text"/],
    ["http: true", /:1:7: http must be HOST:PORT .*, or false, or a map, not true/],
    ["http: 127.0.0.1:99999", /:1:7: http must be HOST:PORT/],
    ["http: { listen: }", /:1:\d+: listen must be HOST:PORT .* not nothing/],
    ["listen: tcp://127.0.0.1:4500", /:1:9: listen must be a list/],
    ["listen: [4500]", /:1:10: listen must be text, not 4500/],
    ["listen: [localhost]", /:1:10: listen: "localhost" is not a URL/],
    ["limits: { queue: 0 }", /:1:18: queue must be a whole number from 1 to/],
    ["limits: { queue: 1.5 }", /:1:18: queue must be a whole number/],
    ["limits: { timeout: 0s }", /:1:20: timeout must be a time/],
    ["limits: { timeout: 30d }", /:1:20: timeout must be a time/],
    ["routes: { path: /a }", /:1:9: routes must be a list, not a map/],
    ["routes: [/a]", /:1:10: a route must be a map/],
    [
      "routes: [{ path: /a, subject: a, reply: { status: 99 } }]",
      /status must be a whole number from 200 to 599, not 99/,
    ],
    ["http: false\nroutes: [{ path: /a, subject: a }]", /:2:1: routes are for http, which is false/],
    ["? [complex]\n: 1", /has no key "\(not a name\)"/],
  ];
  for (const [source, problem] of wrong) assert.match((await problems(source)).join("\n"), problem, source);
});

test("broken YAML has a place too", async () => {
  assert.match((await problems("http: [1"))[0] ?? "", /^lintel\.yaml:1:9: /);
  assert.match((await problems("http: 1\nhttp: 2"))[0] ?? "", /^lintel\.yaml:2:1: .*unique/);
  const [brace, ...more] = await problems("routes: [{ path: /a/{id}, subject: a }]");
  assert.match(
    brace ?? "",
    /^lintel\.yaml:1:21: .*; text with braces has to be quoted here: "\/users\/\{id\}"$/,
  );
  assert.deepEqual(more, []);
  assert.match((await problems("http: *nowhere"))[0] ?? "", /^lintel\.yaml:1:7: .*nowhere/);
  assert.match((await problems("a: 1\n---\nb: 2"))[0] ?? "", /^lintel\.yaml:2:1: /);
});

test("anchors work, and may neither nest nor multiply without end", async () => {
  const shared =
    "routes:\n  - &a { path: /a, subject: a, timeout: 5s }\n  - { path: /b, subject: b, timeout: 5s, mode: request }\n";
  assert.equal((await parseConfig(shared, "f")).http === undefined, false);
  assert.match((await problems("routes: &a [*a]")).join("\n"), /nested more than|must be a map/);
  let bomb = "a0: &a0 x\n";
  for (let level = 1; level <= 10; level++) {
    bomb += `a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(", ")}]\n`;
  }
  assert.match((await problems(bomb)).join("\n"), /more than 10000 values/);
});

test("a file that is not there", async () => {
  await assert.rejects(readConfig("/nonexistent/lintel.yaml"), (error: unknown) => {
    assert.ok(error instanceof LintelError);
    assert.equal(error.reason, "NO_CONFIG");
    assert.match(error.message, /cannot read \/nonexistent\/lintel\.yaml/);
    return true;
  });
});

const CERTIFICATES = join(root, "test/certificates");

test("certificates come from files that lie beside the file, for all gateways or for one", async () => {
  const source = `
tls: { cert: server.pem, key: server.key }
http: { listen: 0, tls: false, origins: ["https://app.example"], sessions: true }
listen:
  - tcp://127.0.0.1:0
  - url: tls://localhost:0
    tls: { cert: renewed.pem, key: renewed.key, ca: authority.pem, requireClientCert: true }
    handshakeTimeout: 2s
  - { url: ws://127.0.0.1:0, origins: ["*"] }
`;
  assert.deepEqual(await parseConfig(source, join(CERTIFICATES, "lintel.yaml")), {
    tls: pair("server"),
    http: { listen: 0, tls: false, origins: ["https://app.example"], sessions: true },
    listen: [
      "tcp://127.0.0.1:0",
      {
        url: "tls://localhost:0",
        tls: { ...pair("renewed"), ca: AUTHORITY, requireClientCert: true },
        handshakeTimeout: 2_000,
      },
      { url: "ws://127.0.0.1:0", origins: ["*"] },
    ],
  });
});

test("certificates and origins that will not do are pointed at", async () => {
  const source = `tls: { cert: server.pem, key: client.key }
http:
  origins: [app.example]
  tls: { cert: nowhere.pem, key: server.key }
listen:
  - { url: tls://localhost:0, tls: { cert: server.key, key: server.key } }
  - { url: wss, tls: { cert: server.pem } }
  - { url: wss://localhost:0, tls: { cert: server.pem, key: server.key, requireClientCert: true } }
  - { tls: true }
`;
  const outcome: unknown = await parseConfig(source, join(CERTIFICATES, "x.yaml")).catch(
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof LintelError);
  const lines = outcome.message.replaceAll(`${CERTIFICATES}/`, "").split("\n");
  const expected = [
    /^x\.yaml:1:6: tls: the certificates or keys of "tls" cannot be used/,
    /^x\.yaml:3:13: an origin: "app\.example" is not an origin such as/,
    /^x\.yaml:4:16: cert: cannot read nowhere\.pem: ENOENT/,
    /^x\.yaml:6:36: tls\.cert has no certificate in PEM/,
    /^x\.yaml:7:12: url: "wss" is not a URL/,
    /^x\.yaml:7:22: tls needs "key"/,
    /^x\.yaml:8:36: tls with tls\.requireClientCert needs tls\.ca/,
    /^x\.yaml:9:5: an entry of listen needs "url"/,
    /^x\.yaml:9:12: tls must be a map/,
  ];
  assert.equal(lines.length, expected.length, lines.join("\n"));
  for (const [index, pattern] of expected.entries()) assert.match(lines[index]!, pattern);
});
