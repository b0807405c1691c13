import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { start } from "./cli-process.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "lintel-environment-"));
  await writeFile(
    join(directory, "lintel.yaml"),
    'http: "127.0.0.1:${TEST_PORT:-1}"\nlisten: [nowhere://a]\n',
  );
});
after(() => rm(directory, { recursive: true }));

test("serve takes options from variables, which go before the file and after flags", async () => {
  const env = { LINTEL_HTTP_LISTEN: "2", LINTEL_LISTEN: "tcp://127.0.0.1:0" };
  await using hub = start(["serve", "--http", "127.0.0.1:0"], { cwd: directory, env });
  await hub.prints(/^ {2}http {5}http:\/\/127\.0\.0\.1:\d+$/m);
  await hub.prints(/^ {2}workers {2}tcp:\/\/127\.0\.0\.1:\d+$/m);
  assert.equal((await hub.stop("SIGTERM")).exit, 0);
});

test("serve tells all that is wrong at once: in the file, in variables, and names that there are not", async () => {
  const env = { TEST_PORT: "a", LINTEL_LIMTS_QUEUE: "1", LINTEL_LIMITS_QUEUE: "many" };
  const { exit, stderr } = await start(["serve"], { cwd: directory, env }).ended;
  assert.equal(exit, 2);
  assert.match(
    stderr,
    /^lintel: BAD_CONFIG: \nlintel\.yaml:1:7: http must be HOST:PORT .*, not "127\.0\.0\.1:a"$/m,
  );
  assert.match(stderr, /^LINTEL_LIMITS_QUEUE: queue must be a whole number/m);
  assert.match(
    stderr,
    /^LINTEL_LIMTS_QUEUE: there is no option of this name; did you mean LINTEL_LIMITS_QUEUE\?$/m,
  );
});
