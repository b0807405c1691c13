import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "./root.ts";

const script = pathToFileURL(join(root, "scripts/replace-folder.js")).href;
const { replaceFolder } = (await import(script)) as { replaceFolder: (place: string, fresh: string) => void };

/** Replaces a folder so often, each time by one whose two files say the same. */
const SWAPS = 40;
const LOOP = `
  import { mkdirSync, writeFileSync } from "node:fs";
  import { replaceFolder } from ${JSON.stringify(script)};
  for (let turn = 0; turn < ${SWAPS}; turn++) {
    mkdirSync("fresh-" + process.pid);
    for (const file of ["a", "b"]) writeFileSync("fresh-" + process.pid + "/" + file, process.pid + "." + turn);
    replaceFolder("place", "fresh-" + process.pid);
  }`;

test("what is built takes the place of dist as a whole", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lintel-replace-"));
  const [place, fresh] = [join(directory, "place"), join(directory, "fresh")];
  try {
    for (const file of ["first", "second"]) {
      mkdirSync(fresh);
      writeFileSync(join(fresh, file), "");
      replaceFolder(place, fresh);
      assert.deepEqual(readdirSync(place), [file]);
    }
    const args = ["--input-type=module", "--eval", LOOP];
    const options = { cwd: directory, stdio: "inherit" } as const;
    const builds = [1, 2].map(() => spawn(process.execPath, args, options));
    const ends = await Promise.all(builds.map((build) => once(build, "exit")));
    assert.deepEqual(ends, [
      [0, null],
      [0, null],
    ]);
    const [a, b] = ["a", "b"].map((file) => readFileSync(join(place, file), "utf8"));
    assert.match(a!, new RegExp(`\\.${SWAPS - 1}$`));
    assert.equal(a, b);
    assert.deepEqual(readdirSync(directory), ["place"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
