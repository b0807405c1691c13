import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { fork } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { unix } from "../../src/transport/unix.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-unix-"));
after(() => rmSync(folder, { recursive: true }));

test("a socket file left by a process that was killed is replaced", async () => {
  const path = join(folder, "stale.sock");
  const child = fork(fileURLToPath(new URL("listening-process.js", import.meta.url)), [path]);
  await once(child, "message");
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.ok(existsSync(path), "the file is still there");
  const listener = await unix.listen(`unix://${path}`, (connection) => void new ByteEnd(connection));
  (await unix.dial(listener.url)).abort();
  await listener.close();
});

test("a socket file somebody listens on is left alone", async () => {
  const path = join(folder, "live.sock");
  const server = createServer().listen(path);
  await once(server, "listening");
  await assert.rejects(
    unix.listen(`unix://${path}`, () => undefined),
    { code: "EADDRINUSE" },
  );
  const dialed = await unix.dial(`unix://${path}`);
  dialed.abort();
  server.close();
});

test("a file that is no socket is left alone", async () => {
  const path = join(folder, "precious.txt");
  writeFileSync(path, "precious");
  await assert.rejects(
    unix.listen(`unix://${path}`, () => undefined),
    { code: "EADDRINUSE" },
  );
  assert.ok(existsSync(path));
});

test("URLs that name no path, or one too long for the kernel, are refused with the reason", async () => {
  await assert.rejects(
    unix.listen("unix://", () => undefined),
    /not of the form/,
  );
  await assert.rejects(unix.dial(`unix:///${"x".repeat(107)}`), /longer than 107 bytes/);
});
