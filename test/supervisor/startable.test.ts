import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startPiped } from "../../src/supervisor/piped-process.ts";
import { PipeSource } from "../../src/supervisor/pipes.ts";

let at = "";
const pipes = new PipeSource();

before(async () => {
  at = await mkdtemp(join(tmpdir(), "lintel-startable-"));
  await mkdir(join(at, "folder"));
  await writeFile(join(at, "plain"), "#!/bin/sh\n");
  await writeFile(join(at, "orphan"), "#!/no/such/interpreter -x\n");
  await chmod(join(at, "orphan"), 0o755);
});
after(async () => {
  pipes.close();
  await rm(at, { recursive: true });
});

/** What is started from `directory`, and the complaint; AT is the folder. */
const CASES: readonly [command: string, directory: string, complaint: string][] = [
  ["sh", "AT/none", "its directory AT/none does not exist"],
  ["sh", "AT/plain", "its directory AT/plain is not a directory"],
  ["sh", "AT/plain/below", "its directory AT/plain/below is below a file"],
  ["no-such-program", "AT", 'the program "no-such-program" was not found in PATH'],
  ["plain", "AT", "the program AT/plain is not executable; run chmod +x on it"],
  ["folder", "AT", 'the program "folder" was not found in PATH'],
  [
    "orphan",
    "AT",
    "the interpreter /no/such/interpreter, which the first line of AT/orphan names, does not exist",
  ],
  ["./none", "AT", "the program AT/none does not exist"],
  ["./folder", "AT", "the program AT/folder is a directory"],
  ["AT/plain", "AT", "the program AT/plain is not executable; run chmod +x on it"],
  ["AT/plain/sh", "AT", "the program AT/plain/sh does not exist"],
];

test("the reason why a program cannot be started is told", async () => {
  for (const [command, directory, complaint] of CASES) {
    const [program, place, message] = [command, directory, complaint].map((text) =>
      text.replaceAll(/\bAT\b/g, at),
    );
    const env = { PATH: `/no/such/folder:${at}` };
    for (const hasInput of [true, false]) {
      const starting = startPiped({ command: program!, args: [], env, directory: place!, hasInput }, pipes);
      await assert.rejects(starting, { message: message! }, `${command} in ${directory}`);
    }
  }
});
