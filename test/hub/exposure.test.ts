import assert from "node:assert/strict";
import { test } from "node:test";
import { refuseExposed } from "../../src/hub/exposure.ts";
import { isExposed } from "../../src/transport/exposure.ts";
import { createHub, type HubConfig } from "../../src/index.ts";

const LOCAL = [
  "tcp://127.0.0.1:1",
  "tcp://127.9.9.9:1",
  "tcp://[::1]:1",
  "tcp://localhost:1",
  "tcp://[::ffff:127.0.0.1]:1",
  "unix:///run/x.sock",
  "unix:x.sock",
  "memory://x",
  "http://127.0.0.1:0",
  "127.0.0.1:9000",
  "[::1]:9000",
  "localhost:9000",
  "own:127.0.0.1:9000",
  "serial:/dev/ttyS0",
  "serial:///dev/ttyS0",
];
const OPEN = [
  "tcp://0.0.0.0:1",
  "tcp://[::]:1",
  "tcp://*:1",
  "tcp://:1",
  "tcp://10.0.0.1:1",
  "tcp://hub.example:1",
  "tcp://127.0.0.1.example:1",
  "tcp://0x7f.1:1",
  "tcp://2130706433:1",
  "tcp://localhost.example:1",
  "wss://0.0.0.0:1/x",
  "http://[::ffff:10.0.0.1]:1",
  "tcp://127.0.0.1@10.0.0.1:1",
  "TCP://0.0.0.0:1",
  "0.0.0.0:9000",
  "[::]:9000",
  ":9000",
  "9000",
  "own:0.0.0.0:9000",
  "hub:9000",
  "tcp://127.0.0.1\\@10.0.0.1:1",
  "tcp://127.0.0.1\t.example:1",
];

test("tells addresses of this machine from all others", () => {
  for (const url of LOCAL) assert.ok(!isExposed(url), url);
  for (const url of OPEN) assert.ok(isExposed(url), url);
});

test("localhost is looked up: it may be made to mean another machine", async () => {
  const means =
    (...addresses: string[]) =>
    () =>
      Promise.resolve(addresses.map((address) => ({ address })));
  await refuseExposed("tcp://localhost:1", means("127.0.0.1", "::1"));
  await refuseExposed("tcp://127.0.0.1:1", means("10.0.0.1"));
  await assert.rejects(refuseExposed("tcp://LOCALHOST:1", means("127.0.0.1", "10.0.0.1")), {
    reason: "INSECURE_LISTEN",
    message: /localhost is 10\.0\.0\.1 on this machine/,
  });
});

const QUIET: HubConfig = { http: false, listen: [] };
const GATEWAYS: Readonly<Record<string, HubConfig>> = {
  http: { ...QUIET, http: { listen: "0.0.0.0:0" } },
  native: { ...QUIET, listen: ["tcp://0.0.0.0:0"] },
  "native over HTTP/1.1": { ...QUIET, listen: ["http1://0.0.0.0:0/x"] },
  grpc: { ...QUIET, grpc: "0.0.0.0:0" },
  tunnel: { ...QUIET, tunnel: { listen: "0.0.0.0:0", subject: "db" } },
  "a gateway of the user's": {
    ...QUIET,
    gateways: [
      {
        name: "own",
        open: () =>
          Promise.resolve({
            name: "own",
            urls: ["own://0.0.0.0:1"],
            stats: () => ({}),
            drain: () => Promise.resolve(),
            close: () => Promise.resolve(),
          }),
      },
    ],
  },
};

for (const [name, config] of Object.entries(GATEWAYS))
  test(`${name}: what everybody may use, other machines reach only when that is wanted`, async () => {
    await assert.rejects(createHub(config), { reason: "INSECURE_LISTEN", code: "failed_precondition" });
    await (await createHub({ ...config, insecure: true })).close();
    await (await createHub({ ...config, access: { keys: [] } })).close();
  });

test("the same holds for what a hub opens later", async (context) => {
  const hub = await createHub(QUIET);
  context.after(() => hub.close());
  await assert.rejects(hub.listen("tcp://0.0.0.0:0"), { reason: "INSECURE_LISTEN" });
  await assert.rejects(hub.openHttp({ listen: "0.0.0.0:0" }), { reason: "INSECURE_LISTEN" });
  await hub.openHttp({ listen: "127.0.0.1:0" });
});
