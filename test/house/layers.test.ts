import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { root } from "./root.ts";

type Tree = Record<string, string>;

const sound: Tree = {
  "message/message.ts": "export const message = 1;",
  "wire/frame.ts": 'import { message } from "../message/message.ts";\nexport const frame: number = message;',
  "engine/engine.ts": "export type Engine = number;",
  "engine/local/local.ts": 'import type { Engine } from "../engine.ts";\nexport const local: Engine = 1;',
  "index.ts": 'export { frame } from "./wire/frame.ts";\nexport { readFileSync } from "node:fs";',
};

/** Each breaks one rule of the sound tree; the words must be in the complaint. */
const violations: { name: string; tree: Tree; complaint: RegExp }[] = [
  {
    name: "an import that points up",
    tree: { "message/up.ts": 'import { frame } from "../wire/frame.ts";\nexport const up: number = frame;' },
    complaint: /message\/up\.ts:1: must not import wire\/frame\.ts: wire lies above message/,
  },
  {
    name: "a type import that points up",
    tree: {
      "message/up.ts": 'import type { Engine } from "../engine/engine.ts";\nexport const up: Engine = 1;',
    },
    complaint: /message\/up\.ts:1: must not import engine\/engine\.ts/,
  },
  {
    name: "an export-from that points up",
    tree: { "message/up.ts": 'export * from "../wire/frame.ts";' },
    complaint: /message\/up\.ts:1: must not import wire\/frame\.ts/,
  },
  {
    name: "a dynamic import that points up",
    tree: { "message/up.ts": '// here\nexport const up = (): unknown => import("../wire/frame.ts");' },
    complaint: /message\/up\.ts:2: must not import wire\/frame\.ts/,
  },
  {
    name: "an import() type that points up",
    tree: { "message/up.ts": 'export type Up = import("../engine/engine.ts").Engine;' },
    complaint: /message\/up\.ts:1: must not import engine\/engine\.ts/,
  },
  {
    name: "a dynamic import of a computed name",
    tree: { "message/late.ts": "export const late = (name: string): unknown => import(name);" },
    complaint: /message\/late\.ts:1: import\(\) of something that is not a plain string/,
  },
  {
    name: "siblings that know each other",
    tree: { "codec/json.ts": 'export { frame } from "../wire/frame.ts";' },
    complaint: /codec and wire are siblings/,
  },
  {
    name: "alternatives that know each other",
    tree: { "engine/remote/remote.ts": 'export { local } from "../local/local.ts";' },
    complaint: /engine\/remote and engine\/local are alternatives/,
  },
  {
    name: "an import of a file that is not there",
    tree: { "wire/reader.ts": 'export * from "./gone.ts";' },
    complaint: /must not import wire\/gone\.ts: there is no such file/,
  },
  {
    name: "a cycle",
    tree: { "wire/a.ts": 'import "./b.ts";', "wire/b.ts": 'import "./a.ts";' },
    complaint: /cycle: wire\/a\.ts -> wire\/b\.ts -> wire\/a\.ts/,
  },
  {
    name: "a folder in no layer",
    tree: { "attic/box.ts": "export const box = 1;" },
    complaint: /attic\/box\.ts: its folder is in no layer/,
  },
  {
    name: "a stray file directly in src",
    tree: { "stray.ts": "export const stray = 1;" },
    complaint: /stray\.ts: only index\.ts may be directly in src/,
  },
  {
    name: "a vague name",
    tree: { "wire/utils.ts": "export const something = 1;" },
    complaint: /wire\/utils\.ts: the name does not say what is inside/,
  },
  {
    name: "a long file",
    tree: { "wire/long.ts": "export {};\n".repeat(401) },
    complaint: /wire\/long\.ts: 401 lines, at most 400 are allowed/,
  },
  {
    name: "any",
    tree: { "wire/loose.ts": "\nexport const loose = (value: unknown): number => (value as any).length;" },
    complaint: /wire\/loose\.ts:2: any/,
  },
  {
    name: "a silenced compiler",
    tree: { "wire/hush.ts": "// @ts-ignore\nexport const hush: number = 1;" },
    complaint: /wire\/hush\.ts:1: @ts-ignore/,
  },
  {
    name: "a syntax error",
    tree: { "wire/half.ts": "export const half = (" },
    complaint: /wire\/half\.ts: /,
  },
];

function check(folder: string): { status: number | null; stdout: string; stderr: string } {
  const script = join(root, "scripts", "check-layers.js");
  return spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
}

function checkTree(tree: Tree): ReturnType<typeof check> {
  const folder = mkdtempSync(join(tmpdir(), "lintel-layers-"));
  try {
    for (const [path, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return check(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("check-layers", () => {
  test("accepts a sound tree and counts what it saw", () => {
    const { status, stdout, stderr } = checkTree(sound);
    assert.equal(stderr, "");
    assert.equal(stdout, "layers: 5 files, 3 imports, 0 violations\n");
    assert.equal(status, 0);
  });

  for (const { name, tree, complaint } of violations) {
    test(`refuses ${name}`, () => {
      const { status, stdout, stderr } = checkTree({ ...sound, ...tree });
      assert.match(stderr, complaint);
      assert.match(stdout, /, 1 violations\n$/);
      assert.equal(status, 1);
    });
  }

  test("refuses an empty tree", () => {
    const { status, stderr } = checkTree({});
    assert.match(stderr, /no source file found/);
    assert.equal(status, 1);
  });

  test("ignores imports in comments and strings", () => {
    const text = 'export const text = "import \'../wire/frame.ts\'"; // import "../wire/frame.ts";';
    assert.equal(checkTree({ ...sound, "message/text.ts": text }).status, 0);
  });

  test("accepts src", () => {
    const { status, stdout, stderr } = check(join(root, "src"));
    assert.equal(stderr, "");
    assert.match(stdout, /^layers: [1-9]\d* files, [1-9]\d* imports, 0 violations\n$/);
    assert.equal(status, 0);
  });
});
