/** What a peer does once it is connected is in the conformance suite; here is the rest, and its topologies. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../../src/peer/connect.ts";
import { declareCells } from "../../src/testing/index.ts";
import { topologyCells } from "../conformance/cells.ts";
import { refusalOf } from "../house/refusal.ts";

declareCells(topologyCells());

describe("connecting", () => {
  it("refuses at once a URL that no hub can have", async () => {
    for (const url of [
      "tcp://127.0.0.1",
      "tcp:nowhere",
      "unix:",
      "gopher://127.0.0.1:70",
      "127.0.0.1:4500",
    ]) {
      await assert.rejects(connect(url), TypeError, url);
    }
  });

  it("says in time that nobody listens", async () => {
    const { reason, message } = await refusalOf((timeoutMs) => connect("tcp://127.0.0.1:1", { timeoutMs }));
    assert.equal(reason, "NOT_CONNECTED");
    assert.match(message, /ECONNREFUSED/);
  });
});
