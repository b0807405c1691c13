import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { gatewayTest } from "../gateway/beam/harness.ts";
import { OriginalPeer } from "../gateway/beam/original-peer.ts";
import { start } from "./cli-process.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "lintel-beam-cli-"));
});
after(() => rm(directory, { recursive: true }));

gatewayTest(
  "serve --beam opens the gateway, says so, and tells of messages that came to nothing",
  async () => {
    const path = join(directory, "beam.sock");
    const source = `{ http: false, listen: [], beam: { path: ${join(directory, "other.sock")}, prefix: legacy } }`;
    await writeFile(join(directory, "lintel.yaml"), source);
    await using hub = start(["serve", "--beam", path], { cwd: directory });
    await hub.prints(new RegExp(`^ {2}beam {5}unix://${path}$`, "m"));
    await using original = new OriginalPeer();
    const connection = await original.connect(path);
    const [kind, , , reason] = (await (await connection.attach("R", "print")).hears()) ?? [];
    assert.deepEqual([kind, reason], ["error", "NO_RESPONDERS"]);
    await connection.send("bad name");
    await hub.prints(
      /the message "bad name" failed: LintelError: "bad name" is not a legal subject/,
      "stderr",
    );
    assert.equal((await hub.stop("SIGTERM")).exit, 0);
  },
);
