/** What somebody sees who has just cloned the repository: no warnings, and nothing left out that nobody is told of. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readFlags } from "../../bench/flags.ts";
import { root } from "./root.ts";

interface Locked {
  readonly version?: string;
  readonly hasInstallScript?: boolean;
  readonly deprecated?: string;
  readonly optional?: boolean;
  readonly engines?: { readonly node?: string };
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}

const { packages } = read("package-lock.json") as { readonly packages: Readonly<Record<string, Locked>> };
const manifest = read("package.json") as {
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly engines: { readonly node: string };
};

test("npm ci has no install script to warn of", () => {
  for (const [path, { hasInstallScript }] of Object.entries(packages)) {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    if (path !== "" && hasInstallScript === true)
      assert.equal(
        manifest.allowScripts[name],
        false,
        `${path} has install scripts: allowScripts must say whether they run`,
      );
  }
});

type Version = readonly [major: number, minor: number, patch: number];

function versionIn(text: string): Version {
  const [major = 0, minor = 0, patch = 0] = (/\d+(\.\d+)*/.exec(text)?.[0] ?? "").split(".").map(Number);
  return [major, minor, patch];
}

function isBefore(one: Version, other: Version): boolean {
  const index = one.findIndex((part, at) => part !== other[at]);
  return index >= 0 && one[index]! < other[index]!;
}

/** For ranges as packages write them: `>=18 <21`, `^18.17.0 || >=20`, `20 || 22`, `*`. */
function includes(range: string, version: Version): boolean {
  return range.split("||").some((part) =>
    [...part.matchAll(/(>=|<=|>|<|\^|~|=)?\s*v?(\d[\d.x]*|\*)/g)].every(([, operator = "", text = ""]) => {
      const bound = versionIn(text);
      if (text === "*") return true;
      if (operator.startsWith("<")) return isBefore(version, bound);
      if (operator === "" || operator === "^" || operator === "~")
        return version[0] === bound[0] && !isBefore(version, bound);
      return !isBefore(version, bound);
    }),
  );
}

test("npm ci has no deprecated package, and none that is for another Node, to warn of", () => {
  const oldest = versionIn(manifest.engines.node);
  for (const [path, { deprecated, engines, optional }] of Object.entries(packages)) {
    assert.equal(deprecated, undefined, path);
    if (optional !== true && engines?.node !== undefined)
      for (const version of [oldest, [22, 20, 0], [24, 10, 0]] as const)
        assert.ok(
          includes(engines.node, version),
          `${path} wants Node ${engines.node}, which is not ${version.join(".")}`,
        );
  }
});

function bench(...flags: string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(root, "build/bench/main.js");
  const env = { ...process.env, PATH: "/nonexistent" };
  return spawnSync(process.execPath, [program, ...flags], { encoding: "utf8", env });
}

test("benchmarks do not begin when a tool is missing, and tell how to do without", () => {
  const { status, stdout, stderr } = bench("--only", "W3", "--quick");
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /^bench: wrk\b.* cannot be had; .*--without (nats,)?wrk$/m);
});

test("benchmarks leave out what they are told to leave out, and say so", () => {
  const { status, stdout } = bench("--only", "W3", "--quick", "--without", "nats,wrk");
  assert.equal(status, 0);
  assert.equal(
    stdout.match(/^- .* was not measured: it needs wrk, which --without leaves out$/gm)?.length,
    5,
  );
  assert.deepEqual(readFlags(["--without", "NATS"]).without, ["nats-server"]);
  assert.throws(() => readFlags(["--without", "curl"]), /--without takes nats, wrk, not "curl"/);
});
