/** Options in variables of the environment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig, type FileConfig, type GivenFlag } from "../../src/config/config.ts";
import { optionsOf } from "../../src/config/environment.ts";
import { loadSections } from "../../src/config/sections.ts";
import { LintelError } from "../../src/message/failure.ts";
import type { OptionFlag } from "../../src/schema/section.ts";

type Variables = Readonly<Record<string, string>>;

function read(environment: Variables, source = "", flags: readonly GivenFlag[] = []): Promise<FileConfig> {
  return parseConfig(source, "lintel.yaml", { environment, flags });
}

async function problems(environment: Variables, source = ""): Promise<string[]> {
  const error = await read(environment, source).then(
    (config) => assert.fail(`was taken as ${JSON.stringify(config)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LintelError);
  assert.equal(error.reason, "BAD_CONFIG");
  return error.message.split("\n");
}

test("variables have the types of their options", async () => {
  const variables = {
    LINTEL_HTTP_LISTEN: "0.0.0.0:80",
    LINTEL_HTTP_SESSIONS: "false",
    LINTEL_HTTP_MAX_PIPELINED: "8",
    LINTEL_HTTP_ASYNC_ANSWERS_KEEP: "5s",
    LINTEL_HTTP_ORIGINS: "https://a.example, https://b.example",
    LINTEL_LIMITS_PAYLOAD: "1MB",
    LINTEL_LIMITS_QUEUE: "3",
    LINTEL_LISTEN: "tcp://127.0.0.1:0",
    LINTEL_BEAM_PREFIX: "10",
    LINTEL_BEAM_PATH: "b.sock",
    LINTEL_JOBS_SERVICES: "{ mail: { delivery: at-least-once, lease: 5s } }",
    LINTEL_ROUTES: "[{ path: /a, subject: a, mode: publish, reply: { headers: { x-ver: 3.10 } } }]",
  };
  assert.deepEqual(await read(variables), {
    beam: { path: "b.sock", prefix: "10" },
    http: {
      listen: "0.0.0.0:80",
      sessions: false,
      maxPipelined: 8,
      asyncAnswers: { keep: 5_000 },
      origins: ["https://a.example", "https://b.example"],
      routes: [{ path: "/a", subject: "a", mode: "publish", reply: { headers: { "x-ver": "3.10" } } }],
    },
    jobs: { services: { mail: { delivery: "at-least-once", lease: 5_000 } } },
    limits: { payload: 1_000_000, queue: 3 },
    listen: ["tcp://127.0.0.1:0"],
  });
});

test("a section has a variable, too, and those of its options go into it", async () => {
  assert.deepEqual(await read({ LINTEL_HTTP: "off" }), { http: false });
  assert.deepEqual(await read({ LINTEL_HTTP: "8600" }), { http: { listen: "8600" } });
  assert.deepEqual(await read({ LINTEL_HTTP: "8600", LINTEL_HTTP_TIMEOUT: "5s" }), {
    http: { listen: "8600", timeout: 5_000 },
  });
  assert.deepEqual(await read({ LINTEL_JOBS: "no" }), { jobs: false });
  assert.deepEqual(await read({ LINTEL_GRPC: "4510" }), { grpc: { listen: "4510" } });
  const url = "http://127.0.0.1:8500"; // as `lintel up` tells its services
  assert.deepEqual(await read({ LINTEL_HTTP: url, LINTEL_HUB: "tcp://a:1" }), {});
});

test("flags go before variables, variables before the file, and what is left of the file stays", async () => {
  const file = "http: { listen: 1, timeout: 1s, bodyLimit: 1 }\nlimits: { queue: 1, streams: 1 }";
  const flag: OptionFlag = {
    flag: "--http <host:port>",
    about: "",
    path: ["http", "listen"],
    takesOff: true,
  };
  const variables = { LINTEL_HTTP_LISTEN: "2", LINTEL_HTTP_TIMEOUT: "2s", LINTEL_LIMITS_QUEUE: "2" };
  const limits = { queue: 2, streams: 1 };
  assert.deepEqual(await read(variables, file, [{ flag, values: ["3"] }]), {
    http: { listen: "3", timeout: 2_000, bodyLimit: 1 },
    limits,
  });
  assert.deepEqual(await read(variables, file, [{ flag, values: ["off"] }]), { http: false, limits });
  assert.deepEqual(await read({ LINTEL_HTTP_TIMEOUT: "2s" }, "http: 8600"), {
    http: { listen: 8600, timeout: 2_000 },
  });
  assert.deepEqual(await read({ LINTEL_HTTP_LISTEN: "1" }, "http: false"), { http: { listen: "1" } });
});

test("what is wrong is told with the variable, in the words of the file", async () => {
  const variables = {
    LINTEL_HTPP_LISTEN: "1",
    LINTEL_HTTP_LISTEN: "nowhere",
    LINTEL_LIMITS_QUEUE: "many",
    LINTEL_ROUTES: "[{ path: /a }]",
    LINTEL_JOBS_COMPAT: "astrohib",
    LINTEL_LISTEN: "[",
    LINTEL_SOMETHING_ELSE: "1",
  };
  const [file, ...others] = await problems(variables, "limits: { streams: 0 }");
  assert.match(file ?? "", /^lintel\.yaml:1:20: streams must be a whole number/);
  assert.deepEqual(
    others.map((line) => line.replace(/ such as .*, not/, ", not")),
    [
      "LINTEL_HTPP_LISTEN: there is no option of this name; did you mean LINTEL_HTTP_LISTEN?",
      'LINTEL_HTTP_LISTEN: listen must be HOST:PORT, not "nowhere"',
      'LINTEL_JOBS_COMPAT: compat must be one of astrohub, not "astrohib"; did you mean "astrohub"?',
      'LINTEL_LIMITS_QUEUE: queue must be a whole number from 1 to 1000000000, not "many"',
      "LINTEL_LISTEN: Flow sequence must end with a ]",
      'LINTEL_ROUTES: a route needs "subject"',
      "LINTEL_SOMETHING_ELSE: there is no option of this name",
    ],
  );
});

test("variables of other parts of Lintel, and of Kubernetes, are none of its business", async () => {
  const variables = {
    LINTEL_HUB: "tcp://hub:4500",
    LINTEL_INSTANCE: "1/a.1",
    LINTEL_TLS_CA: "ca.pem",
    LINTEL_TLS_CERT: "client.pem",
    LINTEL_PARAM_ID: "5",
    LINTEL_SERVICE_HOST: "10.0.0.1",
    LINTEL_SERVICE_PORT_HTTP: "8500",
    LINTEL_PORT: "tcp://10.0.0.1:8500",
    LINTEL_HUB_PORT_8500_TCP_ADDR: "10.0.0.1",
    HOME: "/",
  };
  assert.deepEqual(await read(variables), {});
});

test("every option has a variable of its own, and none has that of another part", async () => {
  const variables = optionsOf(await loadSections("/")).map(({ variable }) => variable);
  assert.deepEqual(variables.length, new Set(variables).size);
  assert.ok(variables.length > 90, String(variables.length));
  const taken = new Set([
    "LINTEL_HUB",
    "LINTEL_INSTANCE",
    "LINTEL_TLS_CA",
    "LINTEL_TLS_CERT",
    "LINTEL_TLS_KEY",
  ]);
  assert.deepEqual(
    variables.filter((name) => taken.has(name)),
    [],
  );
});
