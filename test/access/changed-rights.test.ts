/** A key whose grants change: the peer that shows it comes back by itself, with its new rights. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { KeyOptions } from "../../src/access/access-options.ts";
import { createAccess } from "../../src/access/create-access.ts";
import { createHub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import { until } from "../house/until.ts";

const KEY = "a-key-of-this-test-alone";
const sha256 = createHash("sha256").update(KEY).digest("hex");

function keyFor(subject: string): KeyOptions {
  return { name: "page", role: "client", sha256, grants: { request: [subject], subscribe: ["news"] } };
}

test("grants that change hold for peers that are connected", async () => {
  const access = await createAccess({});
  access.replaceFileKeys([keyFor("first")]);
  await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], access });
  for (const subject of ["first", "second"]) await hub.serve(subject, () => subject);
  const states: string[] = [];
  const peer = await connect(hub.urls[0]!, {
    token: KEY,
    onState: (state) => states.push(state),
    onError: () => undefined,
  });
  const heard: unknown[] = [];
  await peer.subscribe("news", (value) => void heard.push(value));
  assert.equal(await peer.request("first"), "first");
  await assert.rejects(peer.request("second"), { code: "permission_denied" });

  access.replaceFileKeys([keyFor("second")]);
  await until(() => states.length >= 3 && states.at(-1) === "connected", "the new session");
  assert.equal(await peer.request("second"), "second");
  await assert.rejects(peer.request("first"), { code: "permission_denied" });
  await until(async () => {
    await hub.publish("news", "again");
    return heard.length > 0;
  }, "the subscription, which was made again");
  await peer.close();
});
