/** The client in interop/python, a second implementation of docs/PROTOCOL.md, against the hub and the peers of this package. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Context } from "../../src/peer/context.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { defer } from "../cli/cli-process.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { PythonPeer, type Said } from "./python-peer.ts";
import { MIB, refusal, serve, together, untilAborted } from "./typescript-side.ts";

before(() => provide("python3"));

describe("byte vectors in Python", () => {
  it("decodes, encodes and refuses what spec/vectors says", () => {
    const folder = join(root, "interop", "python");
    const run = spawnSync("python3", ["-m", "unittest", "test_vectors"], { cwd: folder, encoding: "utf8" });
    assert.match(run.stderr, /Ran [1-9]\d* tests[^]*\nOK\n$/);
  });
});

for (const scheme of ["tcp", "unix"]) {
  describe(`Python over ${scheme}`, () => {
    let folder: string;
    let hub: Hub;
    let peer: Peer;
    let snake: PythonPeer;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "lintel-interop-"));
      const url = scheme === "tcp" ? "tcp://127.0.0.1:0" : `unix://${folder}/hub.sock`;
      hub = await createHub({ http: false, listen: [url] });
      peer = await connect(hub.urls[0]!);
      await serve(peer);
      snake = await PythonPeer.start(hub.urls[0]!);
    });

    after(async () => {
      await snake.kill();
      await peer.close();
      await hub.close();
      await rm(folder, { recursive: true });
    });

    it("carries every kind of value to a Python worker and back", async () => {
      for (const value of [undefined, "", "žluťoučký 🐎", 0, -1.5, true, [], { a: [1, null, { b: "ß" }] }])
        assert.deepEqual(await peer.request("py.echo", value), value);
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      assert.deepEqual(await peer.request("py.size", bytes), 256);
      assert.deepEqual(new Uint8Array(await peer.request<Uint8Array>("py.echo", bytes)), bytes);
    });

    it("carries every kind of value from a Python caller and back", async () => {
      for (const value of [null, "", "žluťoučký 🐎", 0, -1.5, true, [], { a: [1, null, { b: "ß" }] }])
        assert.deepEqual((await snake.does({ do: "request", subject: "ts.echo", value })).value, value);
      const answer = await snake.does({ do: "request", subject: "ts.echo", hex: "00ff80" });
      assert.deepEqual(answer.value, { hex: "00ff80" });
    });

    it("carries headers both ways", async () => {
      const headers = { "x-sent": "Grüße" };
      const reply = await peer.request("py.echo", 1, { headers, full: true });
      assert.equal(reply.headers.get("x-echo"), "Grüße");
      assert.equal((await snake.does({ do: "request", subject: "ts.echo", headers })).echo, "Grüße");
    });

    it("carries failures with their details, and hides what a defect says", async () => {
      const expected = {
        ...refusal("not_found", "NO_SUCH_ORDER"),
        message: "no order 12",
        details: { order: 12 },
      };
      await assert.rejects(peer.request("py.fail"), expected);
      const { error } = await snake.does({ do: "request", subject: "ts.fail" });
      assert.deepEqual(error, expected);
      const nobody = await snake.does({ do: "request", subject: "nobody.here" });
      assert.deepEqual([nobody.error?.reason, nobody.error?.retryable], ["NO_RESPONDERS", true]);
      await assert.rejects(peer.request("py.crash", {}), refusal("internal", "HANDLER_FAILED"));
      await snake.hears(({ text }) => text === "the handler for py.crash failed");
    });

    it("fails a request whose payload Python cannot read", async () => {
      const broken = peer.request("py.echo", "{", { headers: { "content-type": "application/json" } });
      await assert.rejects(broken, refusal("invalid_argument", "BAD_PAYLOAD"));
    });

    it("reads text in the charset that is declared, and replaces nothing (P-34)", async () => {
      const latin1 = Buffer.from("caf\u00e9", "latin1");
      const ask = (type: string): Promise<unknown> =>
        peer.request("py.echo", latin1, { headers: { "content-type": type } });
      assert.equal(await ask("text/plain; charset=iso-8859-1"), "caf\u00e9");
      await assert.rejects(ask("text/plain"), refusal("invalid_argument", "BAD_PAYLOAD"));
      const unknown = refusal("invalid_argument", "UNSUPPORTED_MEDIA_TYPE");
      await assert.rejects(ask("text/plain; charset=klingon"), unknown);
      const headers = { "content-type": "application/json", "content-encoding": "gzip" };
      await assert.rejects(peer.request("py.echo", latin1, { headers }), unknown);
    });

    it("is sent no streams, and the caller is told so (P-110)", async () => {
      const stream = new ReadableStream<Uint8Array>();
      await assert.rejects(peer.request("py.echo", stream), refusal("unimplemented", "STREAMS_UNSUPPORTED"));
      await peer.serve("ts.stream", () => new ReadableStream<Uint8Array>());
      const { error } = await snake.does({ do: "request", subject: "ts.stream" });
      assert.equal(error?.reason, "STREAMS_UNSUPPORTED");
      assert.equal(await peer.request("py.echo", "well"), "well");
    });

    it("passes on the time that is left, and ends what is late", async () => {
      const left = await peer.request<number>("py.left", undefined, { timeoutMs: 5_000 });
      assert(left > 3_000 && left <= 5_000, `${left} ms left`);
      const other = Number((await snake.does({ do: "request", subject: "ts.left", timeout: 5 })).value);
      assert(other > 3_000 && other <= 5_000, `${other} ms left`);

      const from = snake.said.length;
      await assert.rejects(
        peer.request("py.stuck", "late", { timeoutMs: 200 }),
        refusal("deadline_exceeded", "DEADLINE"),
      );
      const [stopped] = await snake.hears(({ event }) => event === "stopped", 1, from);
      assert.equal(stopped?.why, "DEADLINE");

      const fired = defer<string>();
      const service = await peer.serve("ts.late", (_, { signal }) => untilAborted(signal, fired.resolve));
      const { error } = await snake.does({ do: "request", subject: "ts.late", timeout: 0.2 });
      assert.equal(error?.reason, "DEADLINE");
      assert.equal(await fired.promise, "DEADLINE");
      await service.close();
    });

    it("tells a Python handler that its caller is gone, and a handler here that a Python caller is", async () => {
      const from = snake.said.length;
      const controller = new AbortController();
      const canceled = assert.rejects(
        peer.request("py.stuck", 1, { signal: controller.signal }),
        refusal("canceled", "CALLER_GONE"),
      );
      await snake.hears(({ event }) => event === "stuck", 1, from);
      controller.abort();
      await canceled;
      const [stopped] = await snake.hears(({ event }) => event === "stopped", 1, from);
      assert.equal(stopped?.why, "CALLER_GONE");

      const begun = defer<void>();
      const fired = defer<string>();
      const service = await peer.serve("ts.stuck", (_, { signal }: Context) => {
        begun.resolve();
        return untilAborted(signal, fired.resolve);
      });
      const asked = snake.does({ do: "request", subject: "ts.stuck" });
      await begun.promise;
      await snake.does({ do: "withdraw", of: snake.count });
      assert.equal((await asked).value, "cancelled");
      assert.equal(await fired.promise, "CALLER_GONE");
      await service.close();
    });

    it("publishes to Python in order, once for each pattern that matches", async () => {
      const from = snake.said.length;
      for (let index = 0; index < 500; index++) await peer.publish("py.news.rome", index);
      await peer.publish("py.news.tick", "both");
      await peer.publish("py.weather.tick", "second");
      await peer.publish("py.weather", "none");
      const heard = await snake.hears(({ event }) => event === "heard", 503, from);
      const of = (pattern: string): Said[] => heard.filter((said) => said.pattern === pattern);
      const news = of("py.news.>");
      assert.deepEqual(
        news.map(({ value }) => value),
        [...Array.from({ length: 500 }, (_, index) => index), "both"],
      );
      assert.equal(news[0]?.subject, "py.news.rome");
      assert.deepEqual(
        of("py.*.tick").map(({ subject, value }) => [subject, value]),
        [
          ["py.news.tick", "both"],
          ["py.weather.tick", "second"],
        ],
      );
    });

    it("hears what Python publishes in order, and Python hears itself", async () => {
      const from = snake.said.length;
      const values = Array.from({ length: 500 }, (_, index) => index);
      const heard: unknown[] = [];
      const all = defer<void>();
      const subscription = await peer.subscribe("py.news.*", (value) => {
        if (heard.push(value) === values.length) all.resolve();
      });
      await snake.does({ do: "publish", subject: "py.news.oslo", values });
      await all.promise;
      assert.deepEqual(heard, values);
      await snake.hears(({ event }) => event === "heard", values.length, from);
      await subscription.close();
    });

    it("takes payloads up to the limit and refuses larger ones, in every place", async () => {
      const tooLarge = refusal("resource_exhausted", "TOO_LARGE");
      for (const size of [MIB - 1, MIB]) {
        assert.equal(await peer.request("py.size", new Uint8Array(size)), size);
        assert.equal((await snake.does({ do: "request", subject: "ts.size", size })).value, size);
        assert.equal((await peer.request<Uint8Array>("py.make", size)).length, size);
      }
      await assert.rejects(peer.request("py.size", new Uint8Array(MIB + 1)), tooLarge);
      await assert.rejects(peer.request("py.make", MIB + 1), refusal("internal", "BAD_ANSWER"));
      const { error } = await snake.does({ do: "request", subject: "ts.size", size: MIB + 1 });
      assert.equal(error?.reason, "TOO_LARGE");
    });

    it("has 200 requests under way at a time, in both directions", async () => {
      const asked = Array.from({ length: 200 }, (_, index) => peer.request("py.together", index));
      assert.deepEqual(new Set(await Promise.all(asked)), new Set([200]));
      const service = await peer.serve("ts.together", together(200), { concurrency: 200 });
      const { value } = await snake.does({ do: "many", subject: "ts.together", count: 200 });
      assert.deepEqual(value, new Array(200).fill(200));
      await service.close();
    });

    it("fails what a killed Python worker held as WORKER_LOST", async () => {
      await using doomed = await PythonPeer.start(hub.urls[0]!);
      const from = [snake.said.length, doomed.said.length];
      const held = ["a", "b"].map((value) => peer.request("py.stuck", value));
      const outcomes = Promise.allSettled(held);
      // Both serve the subject, and each holds one of the two: the hub gives a request to the least loaded.
      await snake.hears(({ event }) => event === "stuck", 1, from[0]);
      const [stuck] = await doomed.hears(({ event }) => event === "stuck", 1, from[1]);
      await doomed.kill();
      const lost = held[stuck?.value === "a" ? 0 : 1]!;
      await assert.rejects(lost, refusal("unavailable", "WORKER_LOST"));
      await snake.kill();
      await outcomes;
      await assert.rejects(peer.request("py.echo"), refusal("unavailable", "NO_RESPONDERS", true));
      snake = await PythonPeer.start(hub.urls[0]!);
    });
  });
}
