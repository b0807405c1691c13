/** What the client is made of: nothing that only Node has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { build, type Metafile } from "esbuild";
import { root } from "../house/root.ts";

async function inputsOf(
  entry: string,
  platform: "browser" | "node" = "browser",
): Promise<Metafile["inputs"]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    outdir: "unused",
    format: "esm",
    platform,
    metafile: true,
    logLevel: "silent",
  });
  return metafile.inputs;
}

test("in a browser the client imports its own files and one library, and nothing of Node", async () => {
  const inputs = await inputsOf("src/client/browser.ts");
  const files = Object.keys(inputs);
  assert.ok(files.includes("src/session/session.ts"), "the client speaks the protocol");
  const strange = files.filter((path) => !/^(src|node_modules\/@msgpack\/msgpack)\//.test(path));
  assert.deepEqual(strange, []);
  const external = Object.values(inputs).flatMap(({ imports }) => imports.filter(({ external: out }) => out));
  assert.deepEqual(external, []);
});

for (const [client, file] of [
  ["commands", "src/commands/connection.ts"],
  ["text", "src/text/client.ts"],
] as const)
  test(`in a browser the client of ${client} imports its own files, and nothing of Node`, async () => {
    const inputs = await inputsOf(`src/${client}/browser.ts`);
    const files = Object.keys(inputs);
    assert.ok(files.includes(file), "the client speaks the protocol");
    assert.deepEqual(
      files.filter((path) => !path.startsWith("src/")),
      [],
    );
    const external = Object.values(inputs).flatMap(({ imports }) =>
      imports.filter(({ external: out }) => out),
    );
    assert.deepEqual(external, []);
  });

test("what imports something of Node would not pass", async () => {
  for (const entry of ["src/client/node.ts", "src/commands/node.ts", "src/text/node.ts", "src/index.ts"]) {
    await assert.rejects(inputsOf(entry), /Could not resolve "node:/);
  }
});

test("in Node the client is the same but for its WebSocket", async () => {
  const [page, node] = [
    await inputsOf("src/client/browser.ts"),
    await inputsOf("src/client/node.ts", "node"),
  ];
  const missing = Object.keys(page).filter((path) => path.startsWith("src/") && !(path in node));
  assert.deepEqual(missing, ["src/transport/ws-browser.ts", "src/client/browser.ts"]);
});
