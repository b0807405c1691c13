/** One registry names the gateways that come along: everybody else knows them by their contract. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./root.ts";

/** Gateways whose names mean nothing else in the code. */
const NAMES = /\b(?:grpc|beam|jobs|tunnel)\b/;

/** The registry, and the commands `lintel tunnel` and `lintel expose` with the list they are in. */
const MAY: ReadonlySet<string> = new Set([
  "gateway/registry.ts",
  "cli/commands.ts",
  "cli/expose.ts",
  "cli/tunnel.ts",
  "cli/tunnel-flags.ts",
]);

function filesIn(folder: string, recursive: boolean): string[] {
  return readdirSync(join(root, "src", folder), { recursive, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => `${folder}/${path}`);
}

test("hub, configuration and command line name no gateway", () => {
  const files = [
    ...["hub", "config", "cli"].flatMap((folder) => filesIn(folder, true)),
    ...filesIn("gateway", false),
  ];
  assert.ok(files.length > 50, "it has looked somewhere");
  const naming = files.filter((path) => NAMES.test(readFileSync(join(root, "src", path), "utf8")));
  assert.deepEqual(
    naming.filter((path) => !MAY.has(path)),
    [],
  );
  assert.ok(naming.includes("gateway/registry.ts"), "it has seen what it looks for");
});
