/** The `engine` of the configuration, and a hub that is started with it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createKey, sha256Of } from "../../src/access/keys/key.ts";
import { parseConfig } from "../../src/config/config.ts";
import { connect, createHub } from "../../src/index.ts";
import { start } from "../cli/cli-process.ts";
import { until } from "../house/until.ts";

const FILE = "lintel.yaml";

test("another hub is a URL or a map, in the file and in variables", async () => {
  const whole = `engine:\n  url: tls://other:4500\n  token: secret\n  tls: { serverName: hub }\n`;
  const at = { url: "tls://other:4500", token: "secret", tls: { serverName: "hub" } };
  assert.deepEqual(await parseConfig(whole, FILE), { engine: at });
  const url = "tcp://other:4500";
  assert.deepEqual(await parseConfig(`engine: ${url}`, FILE), { engine: { url } });
  for (const name of ["LINTEL_ENGINE", "LINTEL_ENGINE_URL"])
    assert.deepEqual(await parseConfig("", FILE, { environment: { [name]: url } }), { engine: { url } });
});

test("what is no hub is refused at its place", async () => {
  for (const [text, problem] of [
    ["engine: 4500", /lintel\.yaml:1:9: .*the URL of a hub, or a map/],
    ["engine: { token: x }", /lintel\.yaml:1:9: .*url/],
    ["engine: { url: 'tcp://a:1', urls: 1 }", /has no key "urls"; did you mean "url"\?/],
    ["engine: { url: 'tls://a:1', tls: { cert: '-----BEGIN' } }", /cert and key go together/],
  ] as const)
    await assert.rejects(parseConfig(text, FILE), { reason: "BAD_CONFIG", message: problem });
});

test("lintel serve --engine URL is a hub in front of another", async () => {
  await using back = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  await back.serve("greet", (name) => `hello ${String(name)}`);
  const listen = ["--http", "off", "--listen", "tcp://127.0.0.1:0"];
  await using front = start(["serve", "--engine", back.urls[0]!, ...listen, "--log", "json"]);
  const [line] = await front.prints(/^.*listening.*$/m);
  const banner = JSON.parse(line) as { listen: string[] };
  await using peer = await connect(banner.listen[0]!);
  // The front listens before it is connected to the other, and says until then that it is not.
  const answer = await until(() => peer.request("greet", "Ada").catch(() => undefined), "an answer");
  assert.equal(answer, "hello Ada");
});

test("a hub in front of another shows the key of a file, which is read for each attempt", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "lintel-engine-key-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const key = createKey();
  const access = { keys: [{ name: "front", role: "service", sha256: sha256Of(key) }] } as const;
  await using back = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], access });
  await back.serve("greet", () => "hello");
  const config = await parseConfig(
    `engine: { url: "${back.urls[0]!}", keyFile: hub.key }`,
    join(folder, "lintel.yaml"),
  );
  const errors: string[] = [];
  const onError = (error: unknown): void => void errors.push(String(error));
  await using front = await createHub({ http: false, listen: [], ...config, onError });
  assert.match(await until(() => errors[0], "what is wrong"), /cannot read .*hub\.key/);
  writeFileSync(join(folder, "hub.key"), `${key}\n`);
  await until(
    () =>
      front.request("greet").then(
        (answer) => answer === "hello",
        () => false,
      ),
    "the connection with the key",
  );
  await assert.rejects(createHub({ http: false, engine: { url: back.urls[0]!, token: key, keyFile: "x" } }), {
    code: "invalid_argument",
  });
});
