/** Keys that are used, right and wrong ones, are in nothing that anybody can read: no output, no error, no command line. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { test } from "node:test";
import { createKey } from "../../src/access/keys/key.ts";
import { connect, createHub } from "../../src/index.ts";
import { until } from "../house/until.ts";
import { lintel, start, type Outcome } from "./cli-process.ts";

/** Command lines of all processes. */
function commandLines(): string {
  const ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return ids
    .map((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, "utf8");
      } catch {
        return ""; // it has ended
      }
    })
    .join("\n");
}

/** Everything that an object shows of itself. */
function shown(value: unknown): string {
  const all = inspect(value, { depth: 20, showHidden: true, getters: true, maxStringLength: null });
  return `${all} ${String(value)} ${JSON.stringify(value) ?? ""}`;
}

test("the processes of the command line print no key and have none on their command lines", async (context) => {
  const cwd = mkdtempSync(join(tmpdir(), "lintel-no-key-"));
  context.after(() => rmSync(cwd, { recursive: true, force: true }));
  const wrong = createKey();
  const created = await lintel(["keys", "create", "shop", "--role", "service"], { cwd });
  const right = created.stdout.trim();
  writeFileSync(join(cwd, "key"), right, { mode: 0o600 });
  writeFileSync(join(cwd, "two words"), `${right} ${wrong}`, { mode: 0o600 });
  writeFileSync(
    join(cwd, "lintel.yaml"),
    "http: { listen: 0 }\nlisten: [tcp://127.0.0.1:0]\naccess: { keysFile: keys.yaml }\n",
  );
  await using hub = start(["serve", "--log", "json", "--access-log", "-"], { cwd });
  const [line] = await hub.prints(/^.*listening.*$/m);
  const banner = JSON.parse(line) as { http: string; listen: string[] };
  const env = { LINTEL_HUB: banner.listen[0]! };
  await using worker = start(["work", "boom", "--key-file", "key", "--", "sh", "-c", "env; exit 3"], {
    cwd,
    env,
  });
  const outcomes: Outcome[] = [];
  const ask = async (
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> => {
    const outcome = await lintel(args, { cwd, env: { ...env, ...more } });
    outcomes.push(outcome);
    return outcome;
  };
  await until(
    async () => (await ask(["request", "boom", "--key-file", "key"])).stderr.includes("COMMAND_FAILED"),
    "the worker",
  );
  await Promise.all([
    ask(["request", "boom"], { LINTEL_KEY: wrong }),
    ask(["request", "boom"], { LINTEL_KEY: `${wrong} ${wrong}` }),
    ask(["request", "boom", "--key-file", "two words"]),
    ask(["request", "boom", "--key-file", "nowhere"], { LINTEL_KEY: right }),
    ask(["serve", "--config", "lintel.yaml", "--listen", "tcp://nowhere:x"], { LINTEL_KEY: right }),
    ask(["keys", "list", "--json"], { LINTEL_KEY: right }),
    ...[right, wrong].map((token) =>
      fetch(`${banner.http}/boom`, { headers: { authorization: `Bearer ${token}` } }),
    ),
  ]);
  const lines = commandLines();
  await ask(["keys", "revoke", "shop"]);
  await worker.prints(/UNAUTHENTICATED|no longer valid/i, "stderr");
  await hub.stop();
  const texts = [
    lines,
    hub.stdout,
    hub.stderr,
    worker.stdout,
    worker.stderr,
    readFileSync(join(cwd, "keys.yaml"), "utf8"),
  ];
  for (const { stdout, stderr } of outcomes) texts.push(stdout, stderr);
  assert.ok(
    texts.some((text) => text.includes("key revoked")),
    "the hub has logged what happened",
  );
  for (const key of [right, wrong]) for (const text of texts) assert.ok(!text.includes(key), text);
});

test("hubs, peers and errors do not show the keys they know", async (context) => {
  const [right, wrong] = [createKey(), createKey()];
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const access = {
    authenticate({ token }: { readonly token?: string | undefined }) {
      if (token !== right) throw new Error("no such key");
      return { id: "shop", tenant: "main", role: "service" };
    },
    may: () => true,
  };
  const hub = await createHub({ http: { listen: 0 }, listen: ["tcp://127.0.0.1:0"], access, onError });
  context.after(() => hub.close());
  const peer = await connect(hub.urls[0]!, { key: right, onError });
  context.after(() => peer.close());
  await peer.serve("boom", () => {
    throw new Error("boom");
  });
  const thrown = await Promise.all([
    peer.request("boom").catch((error: unknown) => error),
    connect(hub.urls[0]!, { key: wrong }).catch((error: unknown) => error),
    connect(hub.urls[0]!, { key: `${wrong} ${wrong}` }).catch((error: unknown) => error),
    connect(hub.urls[0]!, { key: wrong, token: wrong }).catch((error: unknown) => error),
    connect(hub.urls[0]!, {
      key: () => Promise.reject(new Error("the vault is closed")),
      timeoutMs: 50,
    }).catch((error: unknown) => error),
    connect(hub.urls[0]!, { key: () => `${wrong}\n`, timeoutMs: 50 }).catch((error: unknown) => error),
  ]);
  for (const error of thrown) assert.ok(error instanceof Error);
  for (const value of [hub, peer, hub.stats(), hub.gateways, ...errors, ...thrown])
    for (const key of [right, wrong]) assert.ok(!shown(value).includes(key), shown(value).slice(0, 2_000));
});
