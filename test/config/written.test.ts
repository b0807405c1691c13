/** Scalars of a config file that are only passed on: as they are written there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHub } from "../../src/index.ts";
import { parseConfig } from "../../src/config/config.ts";
import { LintelError } from "../../src/message/failure.ts";
import { cpuTime } from "../house/cpu-time.ts";

/** What is written for a value, and the text it has. */
const SCALARS: readonly [written: string, text: string][] = [
  ["3.10", "3.10"],
  ["1.0", "1.0"],
  ["0755", "0755"],
  ["0o17", "0o17"],
  ["0x1F", "0x1F"],
  ["1_000", "1_000"],
  ["12345678901234567890", "12345678901234567890"],
  ["0.1000", "0.1000"],
  ["1e400", "1e400"],
  ["1E+3", "1E+3"],
  ["-0", "-0"],
  ["+1", "+1"],
  [".5", ".5"],
  [".inf", ".inf"],
  ["yes", "yes"],
  ["on", "on"],
  ["True", "True"],
  ["false", "false"],
  ["2024-01-02", "2024-01-02"],
  ["12:30:45", "12:30:45"],
  ['"null"', "null"],
  ["'~'", "~"],
  ['""', ""],
  ["!!str 010", "010"],
  ["!own 010", "010"],
  ['"a\\tb"', "a\tb"],
];

test("variables, words of commands and values of headers have the digits of the file", async () => {
  for (const [written, text] of SCALARS) {
    const source = `
services:
  a: { command: [x, ${written}], environment: { VER: ${written} } }
  b: { work: { subject: s, command: [x, ${written}] } }
routes:
  - { path: /a, subject: a, mode: publish, reply: { headers: { x-ver: ${written}, x-all: [${written}] } } }
`;
    const { services, http } = await parseConfig(source, "f");
    const [a, b] = services ?? [];
    assert.deepEqual(a?.environment, { VER: text }, written);
    assert.deepEqual(a.program, { kind: "command", command: ["x", text] }, written);
    assert.deepEqual(b?.program, { kind: "work", subject: "s", command: ["x", text] }, written);
    assert.ok(http !== undefined && http !== false);
    assert.deepEqual(http.routes?.[0]?.reply?.headers, { "x-ver": text, "x-all": [text] }, written);
  }
});

test("of %YAML 1.1 too", async () => {
  const source = `%YAML 1.1\n---\nservices: { a: { command: x, environment: { A: 0755, B: yes, C: 1_000, D: 2024-01-02 } } }`;
  const { services } = await parseConfig(source, "f");
  assert.deepEqual(services?.[0]?.environment, { A: "0755", B: "yes", C: "1_000", D: "2024-01-02" });
});

test("nothing is no value of a variable", async () => {
  for (const written of ["", "~", "null"]) {
    const source = `services:\n  a:\n    command: x\n    environment:\n      A: ${written}\n`;
    await assert.rejects(parseConfig(source, "f"), /must be text, a number, true or false, not nothing/);
  }
});

/** Bodies in the file, with what is sent. */
const BODIES: readonly [written: string, type: string, sent: string][] = [
  ["{ ver: 3.10, n: 12345678901234567890 }", "application/json", '{"ver":3.10,"n":12345678901234567890}'],
  ["[1.0, -0, 1e400, 0.1000, 1E+3]", "application/json", "[1.0,-0,1e400,0.1000,1E+3]"],
  [
    "[0755, 0x1F, 1_000, .5, +1, .inf, 1.]",
    "application/json",
    '["0755","0x1F","1_000",".5","+1",".inf","1."]',
  ],
  ["[yes, on, True, null, ~, 2024-01-02]", "application/json", '["yes","on",true,null,null,"2024-01-02"]'],
  [
    "{ b: 1, 10: x, 2: y, 3.10: z, __proto__: 1, 0755: w }",
    "application/json",
    '{"b":1,"10":"x","2":"y","3.10":"z","__proto__":1,"0755":"w"}',
  ],
  ["3.10", "application/json", "3.10"],
  ["12345678901234567890", "application/json", "12345678901234567890"],
  ["0755", "text/plain; charset=utf-8", "0755"],
  ["yes", "text/plain; charset=utf-8", "yes"],
  ["{ plain: [1, 2.5, true] }", "application/json", '{"plain":[1,2.5,true]}'],
];

test("known answers have the digits, and the order of keys, of the file", async () => {
  const routes = BODIES.map(
    ([body], index) => `  - { path: /${index}, subject: a, mode: publish, reply: { body: ${body} } }`,
  );
  const fallbacks = BODIES.map(
    ([body], index) => `  - { path: /f/${index}, subject: a, fallback: { body: ${body} } }`,
  );
  const { http } = await parseConfig(["routes:", ...routes, ...fallbacks].join("\n"), "f");
  assert.ok(http !== undefined && http !== false);
  const hub = await createHub({ http: { ...http, listen: 0 }, listen: [] });
  try {
    for (const [index, [written, type, sent]] of BODIES.entries()) {
      for (const path of [`/${index}`, `/f/${index}`]) {
        const response = await fetch(hub.httpUrl + path, { method: "POST" });
        assert.deepEqual(
          [response.headers.get("content-type"), await response.text()],
          [type, sent],
          written,
        );
      }
    }
  } finally {
    await hub.close();
  }
});

async function problems(source: string): Promise<string[]> {
  const error = await parseConfig(source, "f").then(
    () => assert.fail("it was taken"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LintelError);
  return error.message.split("\n");
}

test("merge keys: a map's own keys come first, then those of the first map that has them", async () => {
  const source = `
x-one: &one { restart: never, environment: &env { A: 1.0, B: 2 } }
x-two: &two { restart: always, stopGrace: 1s }
services:
  a: { command: x, <<: *one, environment: { <<: *env, B: 3 } }
  b: { <<: [*two, *one], command: y }
  c: { <<: { stopGrace: 2s }, <<: *two, command: z }
`.replace("<<: { stopGrace: 2s }, <<: *two", "<<: [{ stopGrace: 2s }, *two]");
  const { services = [] } = await parseConfig(source, "f");
  const [a, b, c] = services;
  assert.deepEqual([a?.restart.policy, a?.environment], ["never", { A: "1.0", B: "3" }]);
  assert.deepEqual(
    [b?.restart.policy, b?.environment, b?.stopGraceMs],
    ["always", { A: "1.0", B: "2" }, 1_000],
  );
  assert.deepEqual([c?.restart.policy, c?.stopGraceMs], ["always", 2_000]);
});

test("merge keys: what is wrong with them is told where it stands, once", async () => {
  assert.deepEqual(await problems("services: { a: { command: x, <<: 5 } }"), [
    "f:1:34: << takes a map or a list of maps, such as *base",
  ]);
  const twice =
    "x-one: &one { nonsense: 1 }\nservices:\n  a: { <<: *one, command: x }\n  b: { <<: *one, command: x }\n";
  const [first = "", second] = await problems(twice);
  assert.match(first, /^f:1:15: service a has no key "nonsense"/);
  assert.match(second ?? "", /^f:1:15: service b has no key "nonsense"/);
  assert.match(
    (await problems("services: &s { a: { command: x }, <<: *s }"))[0] ?? "",
    /nested more than 32 deep/,
  );
  assert.match((await problems("services: { a: { command: x, <<: *none } }"))[0] ?? "", /^f:1:34: .*none/);
  assert.match((await problems('services: { a: { command: x, "<<": {} } }'))[0] ?? "", /has no key "<<"/);
});

test("anchors may be set anew: an alias means the last one before it", async () => {
  const source =
    "x-a: [&v 1.0, &v 2.0]\nservices: { a: { command: [x, *v], environment: { V: &v 3.0, W: *v } } }";
  const { services } = await parseConfig(source, "f");
  assert.deepEqual(services?.[0]?.program, { kind: "command", command: ["x", "2.0"] });
  assert.deepEqual(services?.[0]?.environment, { V: "3.0", W: "3.0" });
});

test("many aliases are read in little time, and no more than are allowed", async () => {
  const many = `x-a: &a { k: v }\nx-b: [${"*a, ".repeat(9_000)}*a]\n`;
  const startedAt = cpuTime();
  assert.match((await problems(many)).join("\n"), /more than 10000 values/);
  let bomb = "x-0: &b0 { a: 1 }\n";
  for (let level = 1; level <= 30; level++)
    bomb += `x-${level}: &b${level} { <<: [*b${level - 1}, *b${level - 1}] }\n`;
  assert.match((await problems(bomb)).join("\n"), /more than 10000 values|nested more than/);
  assert.ok(cpuTime() - startedAt < 5_000);
});

test("keys that begin with x- are left alone where keys are fixed, and are keys where they are not", async () => {
  const source = `
x-note: { any: [thing, 1] }
http: { listen: 0, x-note: 1 }
services:
  x-ray: { command: x, x-note: ~, environment: { x: 1 } }
routes:
  - { path: /a, subject: a, x-note: 1, mode: publish, reply: { x-note: 1, headers: { x-a: b }, body: { x-c: d } } }
`;
  const { services, http } = await parseConfig(source, "f");
  assert.deepEqual(
    services?.map(({ name }) => name),
    ["x-ray"],
  );
  assert.ok(http !== undefined && http !== false);
  assert.deepEqual(http.routes?.[0]?.reply, { headers: { "x-a": "b" }, body: { "x-c": "d" } });
});

test("a second document is refused where it begins", async () => {
  const message =
    'a second document begins here; a config file has one: put what follows into it, or leave out the "---"';
  for (const [source, place] of [
    ["http: 0\n---\nlisten: []\n", "2:1"],
    ["---\nhttp: 0\n\n--- # more\nlisten: []\n", "4:1"],
    ["http: 0\n...\nlisten: []\n", "3:1"],
    ["http: 0\n---\n", "2:1"],
  ] as const)
    assert.deepEqual(await problems(source), [`f:${place}: ${message}`], source);
  for (const source of ["---\nhttp: 0\n", "http: 0\n...\n", "# first\n---\nhttp: 0\n"])
    assert.deepEqual((await parseConfig(source, "f")).http, { listen: 0 }, source);
});
