/** One connection of beam leaves room for the others. */
import assert from "node:assert/strict";
import { gatewayTest, openGateway } from "./harness.ts";
import { until } from "../../house/until.ts";

const LIMITS = { queueBytes: 400_000, payload: 100_000, headers: 1_000, concurrency: 1 };
/** Two of these, with the stream that each may be answered on, are what one caller may have waiting. */
const LARGE = "x".repeat(30_000);

gatewayTest("a connection keeps its share of the queue's bytes waiting, and others get in", async () => {
  await using gateway = await openGateway({}, undefined, LIMITS);
  const free: (() => void)[] = [];
  await gateway.peer.serve("busy", () => new Promise<string>((resolve) => free.push(() => resolve("done"))));
  const ask = (connection: typeof gateway.connection): Promise<typeof gateway.connection> =>
    connection.attach("R", "busy", LARGE);
  const taken = [await ask(gateway.connection), await ask(gateway.connection), await ask(gateway.connection)];
  const refused = await (await ask(gateway.connection)).hears();
  assert.deepEqual(
    [refused?.[0], ...(refused?.slice(2) ?? [])],
    ["error", "resource_exhausted", "QUEUE_FULL"],
  );
  const other = await ask(await gateway.connect());
  for (const end of [...taken, other]) {
    await until(() => free.length > 0, "a request");
    free.shift()!();
    assert.deepEqual(await end.hears(), ["set", "done"]);
  }
  assert.equal(gateway.engine.keptBytes, 0);
});

gatewayTest("a connection that has sent nothing gives way to another", async () => {
  await using gateway = await openGateway({ maxConnections: 2 });
  await gateway.peer.serve("greet", () => "hello");
  await gateway.connection.attach("R", "greet");
  const silent = await gateway.connect();
  const next = await gateway.connect();
  assert.deepEqual(await (await next.attach("R", "greet")).hears(), ["set", "hello"]);
  assert.equal(await silent.hears(), undefined, "it is closed");
});
