/**
 * The marked blocks of README.md and of the guides are programs. Each document runs against a hub of its own:
 * first what keeps running, then block by block:
 *
 * - a js block with `<!-- example: NAME -->` before it is run to its end;
 * - a console block with such a mark is a transcript: lines that begin with `$ ` are commands, the others
 *   what they print;
 * - `<!-- example: NAME, keeps running -->` is started and left running until the document's end;
 * - a block with `<!-- output -->` before it is what the last js block prints.
 *
 * The addresses a hub listens on by default stand for those of the document's hub.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { createHub } from "../../src/index.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { EXAMPLE, Examples, stepsOf } from "./examples.ts";
import { blocksOf, readDocument } from "./markdown.ts";

const DOCUMENTS = [
  "README.md",
  "docs/guides/getting-started.md",
  "docs/guides/api.md",
  "docs/guides/access.md",
  "docs/guides/streams.md",
  "docs/guides/attachments.md",
  "docs/guides/command-clients.md",
  "docs/guides/text-clients.md",
  "docs/guides/embedding.md",
  "docs/guides/web-apps.md",
  "docs/guides/command-servers.md",
  "docs/guides/testing.md",
];
const FREE_PORTS = 'createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] })';

before(() => provide("curl"));

for (const document of DOCUMENTS) {
  test(document, async (t) => {
    const steps = stepsOf(document).toSorted((a, b) => Number(b.keepsRunning) - Number(a.keepsRunning));
    assert.ok(steps.length > 0, "no block is marked as an example");
    const hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
    const localize = (text: string): string =>
      text
        .replaceAll("http://127.0.0.1:8500", hub.httpUrl!)
        .replaceAll("tcp://127.0.0.1:4500", hub.urls[0]!)
        .replaceAll("createHub()", FREE_PORTS);
    const examples = new Examples({ folder: root, localize });
    try {
      for (const step of steps)
        await t.test(`${step.name} (line ${step.block.line})`, () => examples.play(step));
    } finally {
      await examples.end();
      await hub.close();
    }
  });
}

test("every block of code in these documents is an example, or names its language otherwise", () => {
  for (const document of DOCUMENTS) {
    for (const { language, mark, line } of blocksOf(readDocument(document))) {
      if (language === "js" || language === "console")
        assert.match(mark, EXAMPLE, `${document}:${line} is not run`);
    }
  }
});
