/**
 * The guides for those who come from other systems: each has a `lintel.yaml`, which a hub is opened with here, and examples that
 * run against it. The ports of the documents stand for those of the hub.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import { createHub, type Hub } from "../../src/index.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { EXAMPLE, Examples, stepsOf } from "./examples.ts";
import { blocksOf, readDocument } from "./markdown.ts";

const guides = readdirSync(join(root, "docs/guides")).filter((name) => name.startsWith("from-"));

before(() => provide("curl", "jq", "python3"));

test("there is a guide for each system", () => {
  assert.deepEqual(guides.toSorted(), [
    "from-astrohub.md",
    "from-beam.md",
    "from-drs.md",
    "from-eisenbeton.md",
    "from-middleman.md",
  ]);
});

for (const name of guides)
  test(`docs/guides/${name}`, async (t) => {
    const document = `docs/guides/${name}`;
    const folder = mkdtempSync(join(tmpdir(), "lintel-from-"));
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules/lintel"), "dir"); // "lintel" is this package
    const hub = await hubOf(document, folder);
    const localize = (text: string): string =>
      addressesOf(hub).reduce((all, [shown, real]) => all.replaceAll(shown, real), text);
    const examples = new Examples({ folder, localize });
    try {
      const steps = stepsOf(document).toSorted((a, b) => Number(b.keepsRunning) - Number(a.keepsRunning));
      assert.ok(steps.length > 0, "no block is marked as an example");
      for (const step of steps)
        await t.test(`${step.name} (line ${step.block.line})`, () => examples.play(step));
    } finally {
      await examples.end();
      await hub.close();
      rmSync(folder, { recursive: true });
    }
  });

test("every block of code in these guides is run", () => {
  for (const name of guides)
    for (const { language, mark, line } of blocksOf(readDocument(`docs/guides/${name}`)))
      if (["js", "python", "console"].includes(language))
        assert.match(mark, EXAMPLE, `${name}:${line} is not run`);
});

/** A hub with the configuration of the document, on free ports. */
async function hubOf(document: string, folder: string): Promise<Hub> {
  const shown = blocksOf(readDocument(document)).find(({ mark }) => mark === "file: lintel.yaml");
  assert.ok(shown !== undefined, "it has no lintel.yaml");
  const source = shown.text
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:0")
    .replaceAll("beam.sock", join(folder, "beam.sock")); // relative paths are from where a hub is started
  const config = await parseConfig(source, join(folder, "lintel.yaml"));
  const { services: _, ...options } = config as typeof config & { readonly services?: unknown };
  return createHub({ http: "127.0.0.1:0", listen: ["tcp://127.0.0.1:0"], ...options });
}

/** What stands in the documents, and what it is here. */
function addressesOf(hub: Hub): (readonly [shown: string, real: string])[] {
  const url = (start: string): string =>
    hub.gateways.flatMap(({ urls }) => urls).find((one) => one.startsWith(start)) ?? start;
  return [
    ["http://127.0.0.1:3000", hub.httpUrl ?? ""],
    ["http://127.0.0.1:8500", hub.httpUrl ?? ""],
    ["tcp://127.0.0.1:4500", hub.urls[0] ?? ""],
    ["ws://127.0.0.1:8764", textUrl(hub)],
    ["ws://127.0.0.1:12000/socket", url("ws://")],
    ["beam.sock", hub.beamUrl?.replace("unix://", "") ?? ""],
  ];
}

function textUrl(hub: Hub): string {
  return hub.gateways.find(({ name }) => name === "text")?.urls[0] ?? "";
}
