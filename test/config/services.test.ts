import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceDefinition } from "../../src/config/services.ts";
import { parseConfig } from "../../src/config/config.ts";
import { LintelError } from "../../src/message/failure.ts";

async function servicesIn(source: string): Promise<ServiceDefinition[]> {
  return (await parseConfig(source, "/srv/shop/lintel.yaml")).services ?? [];
}

async function problems(source: string): Promise<string[]> {
  const outcome = await parseConfig(source, "f").then(
    (config) => assert.fail(`was taken as ${JSON.stringify(config)}`),
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof LintelError && outcome.reason === "BAD_CONFIG", String(outcome));
  return outcome.message.split("\n");
}

const DEFAULTS = {
  instances: 1,
  subjects: [],
  environment: {},
  directory: "/srv/shop",
  restart: { policy: "always", firstMs: 200, lastMs: 10_000 },
  startTimeoutMs: 30_000,
  stopGraceMs: 5_000,
  dependsOn: [],
};

test("a service is a program, a shell command, a program made a worker, or a web app", async () => {
  const found = await servicesIn(`
services:
  list: { command: [python3, worker.py] }
  shell: { command: "python3 worker.py | tee log" }
  upper: { work: { subject: upper, command: [tr, a-z, A-Z] } }
  site: { app: ./app.js, subject: site, directory: web }
`);
  assert.deepEqual(found, [
    { ...DEFAULTS, name: "list", program: { kind: "command", command: ["python3", "worker.py"] } },
    {
      ...DEFAULTS,
      name: "shell",
      program: { kind: "command", command: ["/bin/sh", "-c", "python3 worker.py | tee log"] },
    },
    {
      ...DEFAULTS,
      name: "upper",
      program: { kind: "work", subject: "upper", command: ["tr", "a-z", "A-Z"] },
      subjects: ["upper"],
    },
    {
      ...DEFAULTS,
      name: "site",
      program: { kind: "app", module: "/srv/shop/web/app.js", subject: "site" },
      subjects: ["site"],
      directory: "/srv/shop/web",
    },
  ]);
});

test("everything that can be said of a service", async () => {
  const found = await servicesIn(`
services:
  db: { command: [db], restart: never }
  shop:
    work: { subject: "shop.*", command: [shop], lines: true, queue: q, concurrency: 4 }
    subjects: [shop.a, "shop.>"]
    instances: 0
    environment: { TEXT: x, NUMBER: 1.5, FLAG: true }
    directory: /opt
    restart: { policy: on-failure, first: 1s, last: 1m, attempts: 5 }
    startTimeout: 2s
    stopGrace: 500ms
    dependsOn: [db]
`);
  assert.deepEqual(found[0]?.restart, { ...DEFAULTS.restart, policy: "never" });
  assert.deepEqual(found[1], {
    name: "shop",
    program: {
      kind: "work",
      subject: "shop.*",
      command: ["shop"],
      lines: true,
      queue: "q",
      concurrency: 4,
    },
    subjects: ["shop.a", "shop.>"],
    instances: 0,
    environment: { TEXT: "x", NUMBER: "1.5", FLAG: "true" },
    directory: "/opt",
    restart: { policy: "on-failure", firstMs: 1_000, lastMs: 60_000, attempts: 5 },
    startTimeoutMs: 2_000,
    stopGraceMs: 500,
    dependsOn: ["db"],
  });
});

test("mistakes are told with their places", async () => {
  const source = `services:
  Bad Name: { command: [a] }
  none: { instances: 1 }
  both: { command: [a], app: x, subject: s }
  a:
    command: []
  b:
    comand: [x]
  c:
    command: [x]
    port: 80
    subject: c
  d: { app: d.js }
  e: { command: [x], environment: { "a b": 1, LINTEL_HUB: x, EMPTY: } }
  f: { command: [x], restart: { first: 2s, last: 1s } }
  g: { command: [x], restart: allways }
  h: { work: { subject: "a b", command: [x] } }
  i: { command: [x], subjects: [">.a"], instances: 257 }
  j: { command: " " }
  k: { work: { subject: k, command: [x], lines: true, stream: true } }
`;
  assert.deepEqual(await problems(source), [
    `f:2:3: "Bad Name" is not a legal service name: a-z, then a-z, 0-9, - or _, at most 32 characters`,
    "f:3:11: service none needs one of command, work, app",
    "f:4:11: service both needs one of command, work, app, not several",
    "f:6:14: command needs a program",
    'f:8:5: service b has no key "comand"; did you mean "command"?',
    "f:8:5: service b needs one of command, work, app",
    'f:10:5: service c: "subject" is only for "app"; use "subjects" to say what a service serves',
    'f:11:5: service c has no key "port"; allowed: command, work, app, subject, subjects, instances, environment, directory, restart, startTimeout, stopGrace, dependsOn',
    'f:13:8: service d: "app" needs "subject"',
    'f:14:37: "a b" is not the name of a variable: [A-Za-z_][A-Za-z0-9_]*',
    "f:14:47: LINTEL_HUB is set by lintel up",
    "f:14:69: a variable must be text, a number, true or false, not nothing",
    "f:15:31: last must not be shorter than first",
    'f:16:31: restart must be one of always, on-failure, never, not "allways"; did you mean "always"?',
    'f:17:25: subject: "a b" is not a pattern: tokens are [A-Za-z0-9_-] joined by dots; a pattern may use * for a token and a final > for the rest',
    'f:18:33: a subject: ">.a" is not a pattern: tokens are [A-Za-z0-9_-] joined by dots; a pattern may use * for a token and a final > for the rest',
    "f:18:52: instances must be a whole number from 0 to 256, not 257",
    "f:19:17: command: it is empty",
    "f:20:14: lines and stream exclude each other",
  ]);
});

test("services depend on others that there are, and not in a circle", async () => {
  const source = `services:
  web: { command: [x], dependsOn: [databse] }
  database: { command: [x] }
  a: { command: [x], dependsOn: [b] }
  b: { command: [x], dependsOn: [c] }
  c: { command: [x], dependsOn: [a] }
  self: { command: [x], dependsOn: [self] }
`;
  assert.deepEqual(await problems(source), [
    'f:2:35: there is no service "databse"; did you mean "database"?',
    "f:4:33: service a depends on itself",
    "f:5:33: service b depends on itself",
    "f:6:33: service c depends on itself",
    "f:7:36: service self depends on itself",
  ]);
});
