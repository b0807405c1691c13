/** What every gateway must do, whatever it speaks: the contract of `gateway/gateway.ts`, seen from both sides. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Scene, type GatewaySuiteOptions } from "./scene.ts";

/** Declares the suite for one gateway, as tests of `node:test`. */
export function gatewaySuite(name: string, options: GatewaySuiteOptions): void {
  describe(`gateway ${name}`, { skip: options.skip ?? false }, () => {
    const scene = (what: string, run: (scene: Scene) => Promise<void>): void =>
      void test(what, async () => {
        await using opened = await Scene.open(options);
        await run(opened);
      });
    itself(scene, options);
    if (options.request !== undefined) {
      callers(scene, options);
      endsOfCallers(scene);
    }
    if (options.requestWithin !== undefined) deadlines(scene, options);
    if (options.work !== undefined) workers(scene);
    if (options.garbage !== undefined) hostile(scene, options);
  });
}

type Declare = (what: string, run: (scene: Scene) => Promise<void>) => void;

function itself(scene: Declare, options: GatewaySuiteOptions): void {
  const { gateway } = options;

  scene(
    "it is among the gateways of its hub, with URLs that can be read, and counts in numbers",
    async ({ hub, urls }) => {
      for (const url of urls) assert.ok(URL.canParse(url), url);
      const counters = hub.stats().gateways[gateway];
      assert.ok(counters !== undefined, "it has stats");
      for (const [counter, value] of Object.entries(counters))
        assert.equal(typeof value, "number", `${gateway}.${counter}`);
      await Promise.resolve();
    },
  );

  scene("it may be closed twice, and without anybody having come", async (opened) => {
    await Promise.all([opened.close(), opened.hub.close()]);
    await opened.hub.close();
  });

  scene("where it listened somebody else may listen, once it is closed", async (opened) => {
    const { urls } = opened;
    await opened.close();
    await using again = await Scene.open(options, urls);
    assert.deepEqual(again.urls, urls);
  });

  scene("it drains at once when nothing is under way", async ({ hub }) => {
    await hub.drain({ graceMs: Infinity });
  });
}

function callers(scene: Declare, { noResponders = /NO_RESPONDERS/ }: GatewaySuiteOptions): void {
  scene("a request is answered", async (opened) => {
    await opened.serve("suite.echo", (text) => `heard ${text}`);
    const { outcome } = await opened.request("suite.echo", "this");
    assert.equal(await outcome, "answered heard this");
  });

  scene("requests of several clients have the answers that are for them", async (opened) => {
    await opened.serve("suite.echo", (text) => text);
    const asked = await Promise.all(["a", "b", "c"].map((text) => opened.request("suite.echo", text)));
    assert.deepEqual(await Promise.all(asked.map(({ outcome }) => outcome)), [
      "answered a",
      "answered b",
      "answered c",
    ]);
  });

  scene("a request that nobody serves fails at once, and its client is told", async (opened) => {
    const { outcome } = await opened.request("suite.nobody", "x");
    assert.match(await outcome, noResponders);
  });

  scene("its counters are numbers after work, too, and nothing is left in flight", async (opened) => {
    const before = opened.hub.stats().requests;
    await opened.serve("suite.echo", (text) => text);
    for (const text of ["a", "b"]) await (await opened.request("suite.echo", text)).outcome;
    const { gateways, requests, inFlight } = opened.hub.stats();
    for (const counters of Object.values(gateways))
      for (const value of Object.values(counters)) assert.equal(typeof value, "number");
    assert.deepEqual([requests - before, inFlight], [2, 0]);
  });
}

function endsOfCallers(scene: Declare): void {
  scene("a client that leaves cancels its request", async (opened) => {
    const held = await opened.hold("suite.held");
    const request = await opened.request("suite.held", "x");
    await held.begun;
    request.leave();
    assert.equal(await held.aborted, "CALLER_GONE");
    await request.outcome;
  });

  scene("drain answers what is under way, and then nothing more is taken", async (opened) => {
    const held = await opened.hold("suite.held");
    const { outcome } = await opened.request("suite.held", "x");
    await held.begun;
    const drained = opened.hub.drain({ graceMs: Infinity });
    held.answer("in time");
    assert.equal(await outcome, "answered in time");
    await drained;
    const late = await opened.request("suite.held", "late");
    assert.doesNotMatch(await late.outcome, /^answered/);
  });

  scene("a drain whose time is over ends what is under way", async (opened) => {
    const held = await opened.hold("suite.held");
    const { outcome } = await opened.request("suite.held", "x");
    await held.begun;
    await opened.hub.drain({ graceMs: 1, streamGraceMs: 1 });
    assert.doesNotMatch(await outcome, /^answered/);
    assert.match(await held.aborted, /^(DRAINING|CALLER_GONE|CLOSED)$/);
  });

  scene("close ends what is under way at once, for its client and for its worker", async (opened) => {
    const held = await opened.hold("suite.held");
    const { outcome } = await opened.request("suite.held", "x");
    await held.begun;
    await opened.close();
    assert.doesNotMatch(await outcome, /^answered/);
    assert.match(await held.aborted, /^(CLOSED|CALLER_GONE)$/);
  });
}

function deadlines(scene: Declare, { requestWithin }: GatewaySuiteOptions): void {
  scene("the time that a client gives ends its request, and its worker is told", async (opened) => {
    const held = await opened.hold("suite.held");
    const { outcome } = requestWithin!(opened.hub, "suite.held", 50);
    assert.match(await outcome, /DEADLINE/);
    assert.equal(await held.aborted, "DEADLINE");
  });
}

function workers(scene: Declare): void {
  scene("a worker is given requests and answers them", async (opened) => {
    const worker = await opened.work("suite.work");
    for (const text of ["one", "two"]) {
      const outcome = opened.ask("suite.work", text);
      const job = await worker.next();
      assert.equal(job.text, text);
      await job.answer(`did ${job.text}`);
      assert.equal(await outcome, `answered did ${text}`);
    }
    assert.equal(opened.hub.stats().inFlight, 0);
    worker.leave();
  });

  scene("drain lets a worker answer what it holds", async (opened) => {
    const worker = await opened.work("suite.work");
    const outcome = opened.ask("suite.work", "x");
    const job = await worker.next();
    const drained = opened.hub.drain({ graceMs: Infinity });
    await job.answer("in time");
    assert.equal(await outcome, "answered in time");
    worker.leave();
    await drained;
  });

  scene("close fails what a worker holds; it may have been executed", async (opened) => {
    const worker = await opened.work("suite.work");
    const outcome = opened.ask("suite.work", "x");
    await worker.next();
    await opened.close();
    assert.match(await outcome, /^(CLOSED|WORKER_LOST|CONNECTION_LOST)$/);
    worker.leave();
  });
}

function hostile(scene: Declare, { garbage, refusal = /^/ }: GatewaySuiteOptions): void {
  scene("what is none of its protocol is refused, and others are served as before", async (opened) => {
    assert.match(await garbage!(opened.hub), refusal);
    if (opened.canRequest) {
      await opened.serve("suite.echo", (text) => text);
      assert.equal(await (await opened.request("suite.echo", "x")).outcome, "answered x");
    }
    assert.equal(opened.hub.stats().inFlight, 0);
  });
}
