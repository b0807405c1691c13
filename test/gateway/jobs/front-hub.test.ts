/** Workers that poll a hub in front of another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHub } from "../../../src/index.ts";
import { until } from "../../house/until.ts";

test("a request that waits at the hub in front is given up with the service that nobody polls any longer", async () => {
  await using home = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const engine = home.urls[0]!;
  await using front = await createHub({ http: { port: 0 }, listen: [], engine, jobs: { linger: 60 } });
  const poll = await fetch(`${front.httpUrl}/service/a/jobs?wait=0.05`);
  assert.equal(poll.status, 204);
  const service = (): number => front.stats().gateways["jobs"]!["services"]!;
  const asked = home.request("a", "x");
  const outcome = asked.then(
    () => "answered",
    (why: { readonly reason: string }) => why.reason,
  );
  assert.equal(await outcome, "NO_RESPONDERS");
  await until(() => service() === 0, "the end of the service");
  assert.equal(front.stats().gateways["jobs"]!["jobs"], 0);
});
