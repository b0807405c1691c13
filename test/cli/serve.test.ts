import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { connect, createHub } from "../../src/index.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { defer, lintel, start, type Running } from "./cli-process.ts";

const FREE = ["--http", "127.0.0.1:0", "--listen", "tcp://127.0.0.1:0"];

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "lintel-serve-"));
});
after(() => rm(directory, { recursive: true }));

/** Where a hub that was started listens. */
async function addresses(hub: Running): Promise<{ http: string; workers: string }> {
  const [, http = ""] = await hub.prints(/^ {2}http {5}(\S+)$/m);
  const [, workers = ""] = await hub.prints(/^ {2}workers {2}(\S+)$/m);
  return { http, workers };
}

test("serve says where it listens and what to try, and logs each request", async () => {
  await using hub = start(["serve", ...FREE], { cwd: directory });
  const { http, workers } = await addresses(hub);
  await hub.prints(
    new RegExp(`^ {2}lintel work greet --hub ${workers} -- cat\n {2}curl -d .* ${http}/greet$`, "m"),
  );
  assert.equal((await fetch(`${http}/nobody/here?secret=1`, { method: "POST" })).status, 503);
  const [line] = await hub.prints(/^.* POST .*$/m);
  assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} POST \/nobody\/here 503 \d+\.\d ms nobody\.here NO_RESPONDERS$/);
  const { exit, stderr } = await hub.stop("SIGTERM");
  assert.equal(exit, 0);
  assert.equal(stderr, "lintel: finishing what is under way; a second signal ends at once\n");
});

test("serve --log json prints nothing but JSON", async () => {
  await using hub = start(["serve", ...FREE, "--log", "json"], { cwd: directory });
  const [line] = await hub.prints(/^.*listening.*$/m);
  const { http } = JSON.parse(line) as { http: string };
  await fetch(`${http}/a`, { method: "POST" });
  await hub.prints(/"request"/);
  const { stdout } = await hub.stop("SIGINT");
  const [listening, request] = stdout
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text) as Record<string, unknown>);
  assert.deepEqual(Object.keys(listening ?? {}), ["time", "event", "http", "listen", "sessions", "access"]);
  const { time, ms, ...rest } = request ?? {};
  assert.ok(!Number.isNaN(Date.parse(String(time))));
  assert.equal(typeof ms, "number");
  const expected = {
    event: "request",
    method: "POST",
    path: "/a",
    subject: "a",
    status: 503,
    reason: "NO_RESPONDERS",
  };
  assert.deepEqual(rest, expected);
});

test("a signal lets requests under way be answered, and refuses new connections", async () => {
  await using hub = start(["serve", ...FREE, "--log", "off"], { cwd: directory });
  const { http, workers } = await addresses(hub);
  await using worker = await connect(workers);
  const [reached, answer] = [defer<void>(), defer<string>()];
  await worker.serve("slow", () => {
    reached.resolve();
    return answer.promise;
  });
  const response = fetch(`${http}/slow`, { method: "POST" });
  await reached.promise;
  hub.child.kill("SIGINT");
  await hub.prints(/finishing/, "stderr");
  answer.resolve("done");
  assert.equal(await (await response).text(), "done");
  assert.equal((await hub.ended).exit, 0);
});

test("what is under way longer than --grace fails as DRAINING, and the hub ends", async () => {
  await using hub = start(["serve", ...FREE, "--grace", "200ms", "--log", "off"], { cwd: directory });
  const { http, workers } = await addresses(hub);
  await using worker = await connect(workers);
  const reached = defer<void>();
  const aborted = defer<void>();
  await worker.serve("hang", (_value, { signal }) => {
    signal.addEventListener("abort", () => aborted.resolve());
    reached.resolve();
    return new Promise(() => undefined);
  });
  const response = fetch(`${http}/hang`, { method: "POST" });
  await reached.promise;
  hub.child.kill("SIGTERM");
  const answer = await response;
  assert.deepEqual([answer.status, ((await answer.json()) as { reason: string }).reason], [503, "DRAINING"]);
  await aborted.promise;
  assert.equal((await hub.ended).exit, 0);
});

test("a second signal ends at once; one that follows within moments is the same Ctrl-C", async () => {
  await using hub = start(["serve", ...FREE], { cwd: directory });
  const { http, workers } = await addresses(hub);
  await using worker = await connect(workers);
  const reached = defer<void>();
  await worker.serve("hang", () => {
    reached.resolve();
    return new Promise(() => undefined);
  });
  const response = fetch(`${http}/hang`, { method: "POST" }).catch((error: unknown) => error);
  await reached.promise;
  const startedAt = performance.now();
  const pressing = setInterval(() => hub.child.kill("SIGINT"), 20);
  const { exit } = await hub.ended;
  clearInterval(pressing);
  assert.equal(exit, 130);
  assert.ok(performance.now() - startedAt > 250);
  await response;
});

test("lintel.yaml of the directory is used and named; flags go before it", async () => {
  const source = [
    "http: { listen: '127.0.0.1:0', defaultMapping: false }",
    "listen: [tcp://127.0.0.1:0, tcp://127.0.0.1:0]",
    "routes: [{ path: '/sign/{kind}', subject: 'signed.{kind}', mode: publish, reply: { body: thanks } }]",
  ];
  const cwd = await mkdtemp(join(directory, "config-"));
  await writeFile(join(cwd, "lintel.yaml"), source.join("\n"));
  await using hub = start(["serve", "--listen", "tcp://127.0.0.1:0", "--config", "lintel.yaml"], { cwd });
  await using found = start(["serve", "--http", "127.0.0.1:0"], { cwd });
  const [{ http }] = await Promise.all([addresses(hub), addresses(found)]);
  for (const running of [hub, found]) await running.prints(/^ {2}config {3}lintel\.yaml$/m);
  assert.equal(hub.stdout.match(/^ {2}workers/gm)?.length, 1);
  assert.equal(found.stdout.match(/^ {2}workers/gm)?.length, 2);
  const answer = await fetch(`${http}/sign/up`, { method: "POST" });
  assert.deepEqual([answer.status, await answer.text()], [202, "thanks"]);
  assert.equal((await fetch(`${http}/other`, { method: "POST" })).status, 404);
});

test("mistakes in the config are listed with their places", async () => {
  const cwd = await mkdtemp(join(directory, "broken-"));
  await writeFile(join(cwd, "lintel.yaml"), "http: 127.0.0.1:0\nlimit: {}\nlisten: 5\n");
  assert.deepEqual(await lintel(["serve"], { cwd }), {
    exit: 2,
    stdout: "",
    stderr: [
      "lintel: BAD_CONFIG: ",
      'lintel.yaml:2:1: the file has no key "limit"; did you mean "limits"?',
      "lintel.yaml:3:9: listen must be a list, not 5",
      "",
    ].join("\n"),
  });
});

test("an address that is taken is named, with what to do", async () => {
  await using hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
  const taken = new URL(hub.httpUrl ?? "").host;
  const [http, tcp] = await Promise.all([
    lintel(["serve", "--http", taken, "--listen", "tcp://127.0.0.1:0"], { cwd: directory }),
    lintel(["serve", "--http", "off", "--listen", hub.urls[0] ?? ""], { cwd: directory }),
  ]);
  assert.equal(http.exit, 3);
  assert.match(
    http.stderr,
    new RegExp(`^lintel: ADDRESS_IN_USE: cannot listen on ${taken}: another program listens`),
  );
  assert.match(http.stderr, /\n {2}`ss -ltnp` shows who listens; .*port 0 takes a free one\n$/);
  assert.equal(tcp.exit, 3);
  assert.match(tcp.stderr, /^lintel: ADDRESS_IN_USE: cannot listen on 127\.0\.0\.1:\d+: another program/);
});

test("other addresses that cannot be", async () => {
  const [strange, scheme, form] = await Promise.all([
    lintel(["serve", "--http", "192.0.2.1:0", "--listen", "tcp://127.0.0.1:0", "--insecure"], {
      cwd: directory,
    }),
    lintel(["serve", "--http", "off", "--listen", "gopher://127.0.0.1:70"], { cwd: directory }),
    lintel(["serve", "--http", "off", "--listen", "tcp://127.0.0.1"], { cwd: directory }),
  ]);
  assert.equal(strange.exit, 3);
  assert.match(strange.stderr, /^lintel: ADDRESS_UNKNOWN: cannot listen on 192\.0\.2\.1/);
  assert.equal(scheme.exit, 2);
  assert.match(scheme.stderr, /no known transport; there are: .*tcp/);
  assert.equal(form.exit, 2);
  assert.match(form.stderr, /is not of the form tcp:\/\/HOST:PORT/);
});

test("a hub that everybody may use listens for other machines only when it is told to", async () => {
  const args = ["serve", "--http", "0.0.0.0:0", "--listen", "tcp://127.0.0.1:0"];
  const refused = await lintel(args, { cwd: directory });
  assert.equal(refused.exit, 2);
  assert.match(refused.stderr, /^lintel: INSECURE_LISTEN: other machines can reach http:\/\/0\.0\.0\.0:0,/m);
  assert.match(refused.stderr, /configure `access`.*--insecure/s);
  await using local = start(["serve", "--http", "127.0.0.1:0", "--listen", "tcp://127.0.0.1:0"], {
    cwd: directory,
  });
  await local.prints(/^ {2}access {3}every program of this machine may do everything/m);
  await using hub = start([...args, "--insecure"], { cwd: directory });
  await hub.prints(/^ {2}access {3}INSECURE: everybody who can reach these addresses/m);
  await using other = start(args, { cwd: directory, env: { LINTEL_INSECURE: "true" } });
  await other.prints(/INSECURE/);
});

test("serve --http off has no HTTP gateway and suggests none", async () => {
  await using hub = start(["serve", "--http", "off", "--listen", "tcp://127.0.0.1:0"], { cwd: directory });
  await hub.prints(/^ {2}lintel request greet --hub \S+ '\{"name":"Ada"\}'$/m);
  assert.doesNotMatch(hub.stdout, /http/);
});

test("the hub outlives whoever reads its output", async () => {
  await using hub = start(["serve", ...FREE], { cwd: directory });
  const { http } = await addresses(hub);
  hub.child.stdout.destroy();
  hub.child.stderr.destroy();
  for (let index = 0; index < 5; index++)
    assert.equal((await fetch(`${http}/a`, { method: "POST" })).status, 503);
  assert.equal((await hub.stop("SIGTERM")).exit, 0);
});

test("certificates make the port of HTTP speak HTTPS, by flags and by the file", async () => {
  provide("curl");
  const certificates = join(root, "test/certificates");
  const [cert, key, ca] = ["server.pem", "server.key", "authority.pem"].map((name) =>
    join(certificates, name),
  );
  const file = join(directory, "tls.yaml");
  await writeFile(
    file,
    `http: { listen: 0 }
listen: ["tls://localhost:0", { url: "wss://localhost:0", origins: ["https://app.example"] }]
tls: { cert: ${relative(directory, cert!)}, key: "${key}" }
`,
  );
  const flags = [
    "--http",
    "localhost:0",
    "--listen",
    "tls://localhost:0",
    "--tls-cert",
    cert!,
    "--tls-key",
    key!,
  ];
  for (const args of [flags, ["--config", file]]) {
    await using hub = start(["serve", ...args], { cwd: directory });
    const { http, workers } = await addresses(hub);
    assert.match(http, /^https:/);
    await using worker = await connect(workers, { tls: { ca: await readFile(ca!, "utf8") } });
    await worker.serve("echo", (value) => value);
    const { stdout } = await promisify(execFile)("curl", [
      "-sS",
      "--cacert",
      ca!,
      "-d",
      "[1]",
      `${http}/echo`,
    ]);
    assert.equal(stdout, "[1]");
    await assert.rejects(promisify(execFile)("curl", ["-sS", `${http}/echo`]), /certificate/);
    assert.equal((await hub.stop("SIGTERM")).exit, 0);
  }
});

test("certificates that are missing or wrong are said so", async () => {
  const certificates = join(root, "test/certificates");
  const cases: [flags: string[], said: RegExp][] = [
    [["--tls-cert", "a"], /go together/],
    [["--tls-cert", "nowhere.pem", "--tls-key", "b"], /--tls-cert: cannot read nowhere\.pem/],
    [["--tls-cert", "server.pem", "--tls-key", "client.key"], /cannot be used/],
    [["--listen", "tls://localhost:0"], /needs tls\.cert and tls\.key/],
  ];
  for (const [flags, said] of cases) {
    const { exit, stderr } = await lintel(
      ["serve", "--http", "0", "--listen", "tcp://127.0.0.1:0", ...flags],
      {
        cwd: certificates,
      },
    );
    assert.equal(exit, 2);
    assert.match(stderr, said);
  }
});
