/** The hub of docs/guides/commands.md, and the call that it shows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Running } from "../../cli/cli-process.ts";
import { blocksOf, readDocument } from "../../docs/markdown.ts";
import { root } from "../../house/root.ts";
import { RawClient } from "./raw-client.ts";

test("the guide's hub answers the guide's call as the guide says", async () => {
  const document = readDocument("docs/guides/commands.md");
  const block = blocksOf(document).find(({ mark }) => mark === "example: hub, keeps running");
  assert.ok(block);
  const [, call = "", reply = ""] = /printf '(.*)' \| nc .*\n(.*)\n/.exec(document) ?? [];
  await using serving = new Running(process.execPath, ["--input-type=module", "--eval", block.text], {
    cwd: root,
  });
  const [, ws = "", tcp = "", onPort = ""] = await serving.prints(
    /^commands at (ws:\S+) (tcp:\S+) (ws:\S+)/m,
  );
  for (const url of [ws, tcp, onPort]) {
    await using client = await RawClient.open(url);
    client.sendRaw(call);
    await client.next(() => true, "the reply");
    assert.equal(client.text.trim(), reply);
  }
});
