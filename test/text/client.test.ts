/** The client of the text protocol, with a server, a clock and random numbers that the test holds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { LintelError } from "../../src/message/failure.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import type { ConnectTextOptions, TextPeer } from "../../src/text/api.ts";
import { connectWith } from "../../src/text/client.ts";
import type { TextMessage } from "../../src/text/message.ts";
import { FakeServer, type FakeSocket } from "./fake-server.ts";

const GUIDS = ["00000000000000000001", "00000000000000000002"] as const;

class Connected {
  readonly server = new FakeServer();
  readonly clock = new FakeClock();
  readonly said: string[] = [];
  random = 0;
  peer!: TextPeer;

  static async open(options: ConnectTextOptions = {}): Promise<Connected> {
    const connected = new Connected();
    const { server } = connected;
    const opened = connected.dial(options);
    await turn();
    server.last.welcomes(GUIDS[0]);
    connected.peer = await opened;
    server.last.sent.length = 0;
    return connected;
  }

  dial(options: ConnectTextOptions = {}, url = "ws://hub:1/text"): Promise<TextPeer> {
    const { clock, server, said } = this;
    const told: ConnectTextOptions = {
      onError: (error, where) => said.push(`${where}: ${(error as Error).message}`),
      onState: (state, why) => said.push(`${state} ${why?.reason ?? ""}`.trim()),
      ...options,
    };
    return connectWith(server.open, url, told, { clock, random: () => this.random });
  }

  get socket(): FakeSocket {
    return this.server.last;
  }

  /** The connection is lost, and made again. */
  async reconnects(): Promise<void> {
    this.socket.ends();
    this.clock.advance(50);
    await turn();
    this.socket.welcomes(GUIDS[1]);
    await turn();
  }
}

const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error: unknown) => (error as LintelError).reason,
  );

const byRid = (one: readonly unknown[], other: readonly unknown[]): number =>
  String(one[0]) < String(other[0]) ? -1 : 1;

describe("connecting", () => {
  test("T-60: the key is the first frame, the URL asks for both greetings, and the GUID is the peer's", async () => {
    const connected = new Connected();
    const opening = connected.dial({ key: "plugh" }, "ws://hub:1/text?a=b&greeting=short#x");
    await turn();
    const { socket } = connected;
    assert.equal(socket.url, "ws://hub:1/text?a=b&greeting=two");
    socket.welcomes(GUIDS[0]);
    const peer = await opening;
    assert.deepEqual([socket.sent, peer.guid, peer.state], [["plugh"], GUIDS[0], "connected"]);
    peer.close();
    assert.deepEqual([peer.guid, peer.state, socket.readyState], ["", "closed", 2]);
  });

  test("T-60: a refused key rejects at once, with what the server says", async () => {
    const connected = new Connected();
    const opening = connected.dial();
    await turn();
    connected.socket.opens();
    connected.socket.ends(1008, "this key is not known");
    await assert.rejects(opening, { reason: "UNAUTHENTICATED", message: "this key is not known" });
    connected.clock.advance(60_000);
    await turn();
    assert.equal(connected.server.sockets.length, 1);
    assert.equal(connected.clock.pending, 0);
  });

  test("it is tried until the time for the first connection is up, and then no more", async () => {
    const connected = new Connected();
    const opening = assert.rejects(connected.dial({ connectTimeout: "1s" }), {
      reason: "NOT_CONNECTED",
      message: "nothing listens there",
    });
    for (let waited = 0; waited < 1_200; waited += 25) {
      await turn();
      if (connected.socket.readyState === 0) connected.socket.ends(1006, "", "nothing listens there");
      await turn();
      connected.clock.advance(25);
    }
    await opening;
    const attempts = connected.server.sockets.length;
    assert.ok(attempts > 3 && attempts < 12, String(attempts));
    assert.equal(connected.clock.pending, 0);
  });

  test("T-60: a server of something else, and one that says nothing, are given up", async () => {
    for (const frames of [["Hello"], ["MM OK", "no guid"], ["MM OK"], []]) {
      const connected = new Connected();
      const opening = reasonOf(connected.dial({ connectTimeout: "6s" }));
      await turn();
      connected.socket.opens();
      for (const frame of frames) connected.socket.saysFrame(frame);
      connected.clock.advance(6_000);
      await turn();
      assert.equal(await opening, "NOT_CONNECTED");
      assert.equal(connected.server.sockets[0]!.readyState, 2);
    }
  });

  test("a function gives a key before each attempt; one that fails, or never does, ends no more than the attempt", async () => {
    const keys: (() => Promise<string> | string)[] = [
      () => Promise.reject(new Error("no key server")),
      () => new Promise(() => undefined),
      () => "first",
      () => Promise.resolve("second"),
    ];
    const connected = new Connected();
    const opening = connected.dial({ key: () => keys.shift()!(), connectTimeout: "20s" });
    await turn();
    connected.clock.advance(50);
    await turn();
    connected.clock.advance(5_000);
    await turn();
    connected.clock.advance(100);
    await turn();
    connected.socket.welcomes(GUIDS[0]);
    await opening;
    assert.deepEqual(connected.socket.sent, ["first"]);
    connected.clock.advance(5_000); // it was stable
    await connected.reconnects();
    assert.deepEqual(connected.socket.sent, ["second"]);
  });

  test("frames that come together with the greeting are not lost", async () => {
    const messages: TextMessage[] = [];
    const connected = new Connected();
    const opening = connected.dial({ onMessage: (message) => messages.push(message) });
    await turn();
    connected.socket.welcomes(GUIDS[0]);
    connected.socket.says("PUB", `MSG:${GUIDS[0]}`, [], "early");
    await opening;
    assert.deepEqual(
      messages.map(({ body }) => body),
      ["early"],
    );
  });

  test("what is wrong is refused where it is given", async () => {
    const { dial } = {
      dial: (url: unknown, options?: unknown) =>
        connectWith(new FakeServer().open, url as string, options as ConnectTextOptions),
    };
    await assert.rejects(dial("http://hub"), TypeError);
    await assert.rejects(dial("ws://"), TypeError);
    await assert.rejects(dial(7), { code: "invalid_argument" });
    await assert.rejects(dial("ws://hub", { key: 7 }), { code: "invalid_argument" });
    await assert.rejects(dial("ws://hub", { onError: "x" }), { code: "invalid_argument" });
    await assert.rejects(dial("ws://hub", { timeout: "soon" }), { code: "invalid_argument" });
    const { peer, socket } = await Connected.open();
    const wrong: (() => unknown)[] = [
      () => peer.publish("a\nb"),
      () => peer.publish("a", 7 as never),
      () => peer.publish("a", "", { "a:b": "" }),
      () => peer.publish("a", "", { Cid: "forged" }),
      () => peer.publish("a", "", [["rid", "1"]]),
      () => peer.subscribe("", () => undefined),
      () => peer.subscribe("a", 7 as never),
      () => peer.serve("a", 7 as never),
      () => peer.serve("a", () => "", { concurrency: 0 }),
      () => peer.setUid("a\r", "b"),
    ];
    for (const one of wrong) assert.throws(one, LintelError, one.toString());
    await assert.rejects(peer.request("a", "", { timeout: 0 }), { code: "invalid_argument" });
    await assert.rejects(peer.request("a", "", { signal: 7 as never }), { code: "invalid_argument" });
    assert.deepEqual(socket.sent, []);
  });
});

describe("a connection that is lost", () => {
  test("T-62: is made again, with what was asked for in order, and without what was taken back", async () => {
    const connected = await Connected.open();
    const { peer } = connected;
    const heard: string[] = [];
    peer.subscribe("news", ({ body }) => heard.push(body));
    peer.subscribe("gone", () => undefined).close();
    peer.serve("Echo", ({ body }) => body, { concurrency: 4 });
    peer.enablePublish("Chat");
    peer.enableSubscribe("Chat");
    peer.enableSubscribe("Chat");
    peer.onPrivate(({ body }) => heard.push(`private ${body}`));
    const lines = ["SUB news", "SUB gone", "UNS gone", "EREQ Echo", "EPUB Chat", "ESUB Chat"];
    assert.deepEqual(connected.socket.takesLines(), lines);
    await connected.reconnects();
    assert.deepEqual(
      connected.socket.takesLines(),
      lines.filter((line) => !line.includes("gone")),
    );
    assert.equal(peer.guid, GUIDS[1]);
    connected.socket.says("PUB", "news", [], "back");
    connected.socket.says("PUB", `MSG:${GUIDS[0]}`, [], "stale");
    connected.socket.says("PUB", `MSG:${GUIDS[1]}`, [], "fresh");
    assert.deepEqual(heard, ["back", "private fresh"]);
    assert.deepEqual(connected.said, ["connected", "connecting CONNECTION_LOST", "connected"]);
  });

  test("T-63: ends requests at once, and none is made until it is back", async () => {
    const connected = await Connected.open();
    const { peer } = connected;
    const pending = [peer.request("a"), peer.request("b")].map(reasonOf);
    connected.socket.ends(1001, "the hub is closing");
    assert.deepEqual(await Promise.all(pending), ["CONNECTION_LOST", "CONNECTION_LOST"]);
    assert.equal(await reasonOf(peer.request("c")), "NOT_CONNECTED");
    assert.throws(() => peer.publish("c"), { reason: "NOT_CONNECTED" });
    const later = peer.subscribe("d", () => undefined);
    connected.clock.advance(50);
    await turn();
    connected.socket.welcomes(GUIDS[1]);
    await turn();
    assert.deepEqual(connected.socket.takesLines(), ["SUB d"]);
    later.close();
    const again = peer.request("e");
    const [, sent] = connected.socket.takes();
    connected.socket.says("RES", "e", sent!.headers, "yes");
    assert.equal((await again).body, "yes");
  });

  test("T-61: waits between attempts are half random and grow, also when each connection ends at once", async () => {
    for (const [random, first] of [
      [0, 25],
      [0.999, 50],
    ] as const) {
      const connected = await Connected.open();
      connected.random = random;
      const waits: number[] = [];
      for (let round = 0; round < 6; round++) {
        connected.socket.ends();
        const before = connected.clock.now();
        const { length } = connected.server.sockets;
        while (connected.server.sockets.length === length) {
          connected.clock.advance(1);
          await turn();
        }
        waits.push(connected.clock.now() - before);
        connected.socket.welcomes(GUIDS[1]);
        await turn();
      }
      assert.deepEqual(
        waits,
        [1, 2, 4, 8, 16, 16].map((factor) => first * factor),
      );
      connected.peer.close();
    }
  });

  test("why it cannot be made again is told once for each reason", async () => {
    const connected = await Connected.open();
    connected.socket.ends();
    for (const [code, reason] of [
      [1006, "down"],
      [1006, "down"],
      [1008, "no such key"],
      [1008, "no such key"],
    ] as const) {
      connected.clock.advance(1_000);
      await turn();
      connected.socket.ends(code, reason);
      await turn();
    }
    assert.deepEqual(connected.said.slice(2), ["the connection: down", "the connection: no such key"]);
    connected.peer.close();
    assert.equal(connected.clock.pending, 0);
  });

  test("a function that is told of it and throws does no harm", async () => {
    const connected = await Connected.open({
      onState: () => {
        throw new Error("of the page");
      },
    });
    await connected.reconnects();
    assert.equal(connected.peer.state, "connected");
    assert.equal(connected.server.sockets.length, 2);
    assert.equal(connected.said[0], "onState: of the page");
  });
});

describe("requests", () => {
  test("T-63, T-64: each has one outcome: an answer, a failure, its deadline, its signal, or the end of the peer", async () => {
    const connected = await Connected.open({ timeout: "2s" });
    const { peer, socket, clock } = connected;
    const aborting = new AbortController();
    const requests = [
      peer.request("answered", "body", { headers: { cmd: "say" } }),
      peer.request("failed"),
      peer.request("late", "", { timeout: 500 }),
      peer.request("aborted", "", { signal: aborting.signal }),
      peer.request("none"),
      peer.request("left"),
    ];
    const outcomes = requests.map((one) =>
      one.then(
        ({ body }) => body,
        (error: unknown) => (error as LintelError).message,
      ),
    );
    const sent = socket.takes();
    assert.deepEqual(sent[0]!.headers, [
      ["ReqID", "1"],
      ["Timeout", "2000ms"],
      ["cmd", "say"],
    ]);
    const [answered, failed, late, , none] = sent.map(({ headers }) => headers[0]!);
    socket.says("RES", "answered", [answered!], "yes");
    socket.says("RES", "answered", [answered!], "twice");
    const why: [string, string][] = [
      ["code", "failed_precondition"],
      ["reason", "SOLD_OUT"],
    ];
    socket.says("PUB", "ERROR", [failed!, ...why], "we REQ more milk REQ failed");
    socket.says("PUB", "ERROR", [none!, ["code", "not_found"]], "No responder for REQ none");
    aborting.abort(new Error("the page is left"));
    clock.advance(500);
    socket.says("RES", "late", [late!], "too late");
    peer.close();
    assert.deepEqual(await Promise.all(outcomes), [
      "yes",
      "we REQ more milk",
      "the deadline passed before an answer arrived",
      "the page is left",
      "No responder for REQ none",
      "the peer was closed",
    ]);
    const refused = (await requests[1]!.catch((error: unknown) => error)) as LintelError;
    assert.deepEqual([refused.code, refused.reason], ["failed_precondition", "SOLD_OUT"]);
    assert.equal(clock.pending, 0);
    assert.equal(await reasonOf(peer.request("x")), "CLOSED");
    assert.throws(() => peer.subscribe("x", () => undefined), { reason: "CLOSED" });
    assert.deepEqual(connected.said, ["connected", "closed"]);
  });

  test("a signal that has fired sends nothing", async () => {
    const { peer, socket } = await Connected.open();
    await assert.rejects(peer.request("a", "", { signal: AbortSignal.abort(new Error("no")) }), {
      message: "no",
    });
    assert.deepEqual(socket.sent, []);
  });

  test("a failure that another server hands on as an answer is a failure", async () => {
    const { peer, socket } = await Connected.open();
    const asked = peer.request("a");
    socket.says(
      "RES",
      "a",
      [
        ["ReqID", "1"],
        ["Error-Code", "not_found"],
        ["error-reason", "NO_MILK"],
      ],
      "no milk",
    );
    await assert.rejects(asked, { code: "not_found", reason: "NO_MILK", message: "no milk" });
  });

  test("T-66: too many, and too much that waits to be sent, are refused", async () => {
    const server = new FakeServer();
    const opening = connectWith(server.open, "ws://hub", {}, { clock: systemClock, random: Math.random });
    await turn();
    server.last.welcomes(GUIDS[0]);
    const peer = await opening;
    server.last.bufferedAmount = 16_777_217;
    assert.throws(() => peer.publish("a"), { reason: "SLOW_CONSUMER" });
    assert.equal(await reasonOf(peer.request("a")), "SLOW_CONSUMER");
    server.last.bufferedAmount = 0;
    const outcomes = Array.from({ length: 65_536 }, () => reasonOf(peer.request("a")));
    assert.equal(await reasonOf(peer.request("a")), "IN_FLIGHT_FULL");
    peer.close();
    assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(["CLOSED"]));
  });
});

describe("publications", () => {
  test("each handler gets them until it is closed, and the server is told of the first and the last", async () => {
    const { peer, socket, said } = await Connected.open();
    const heard: string[] = [];
    const handler = ({
      body,
      headers,
      cid,
      uid,
    }: {
      body: string;
      headers: { get(name: string): string | undefined };
      cid: string;
      uid: string;
    }): void => {
      heard.push([body, headers.get("x-A"), cid, uid].join(" "));
    };
    const first = peer.subscribe("two words", handler);
    const second = peer.subscribe("two words", handler);
    const publish = (): void =>
      socket.says(
        "PUB",
        "two words",
        [
          ["X-a", " 1 "],
          ["cid", "c"],
          ["uid", "u"],
        ],
        "hi",
      );
    publish();
    first.close();
    first.close();
    publish();
    second.close();
    publish();
    assert.deepEqual(heard, ["hi 1 c u", "hi 1 c u", "hi 1 c u"]);
    assert.deepEqual(socket.takesLines(), ["SUB two words", "UNS two words"]);
    peer.subscribe("two words", handler);
    first.close();
    publish();
    assert.equal(heard.length, 4);
    assert.deepEqual(said, ["connected"]);
  });

  test("refusals, frames that are no messages, and errors of handlers are told", async () => {
    const { peer, socket, said } = await Connected.open();
    peer.subscribe("news", () => {
      throw new Error("broken");
    });
    peer.subscribe("news", () => Promise.reject(new Error("broken later")));
    socket.says("PUB", "news");
    socket.says("PUB", "ERROR", [["code", "permission_denied"]], "Not trusted SUB secret");
    socket.saysFrame("PUB");
    socket.saysFrame(new Uint8Array(3));
    await turn();
    assert.deepEqual(said.slice(1), [
      "the handler of news: broken",
      "the server: Not trusted SUB secret",
      "a message of the server: No line end in PUB",
      "the handler of news: broken later",
    ]);
    const errors: string[] = [];
    peer.subscribe("ERROR", ({ body }) => errors.push(body));
    const asked = peer.request("x");
    socket.says("PUB", "ERROR", [["ReqID", "1"]], "No responder for REQ x");
    socket.says("PUB", "ERROR", [["reqid", "1"]], "of one that has ended REQ x");
    socket.says("PUB", "ERROR", [], "Not trusted SUB secret");
    await assert.rejects(asked, { code: "unknown" });
    assert.deepEqual([errors, said.length], [["Not trusted SUB secret"], 5]);
  });

  test("T-62: what the server refuses is said again, in waits that grow, until it is taken back or accepted", async () => {
    const connected = await Connected.open();
    const { peer, socket, clock, said } = connected;
    const refuse = (line: string): void =>
      socket.says("PUB", "ERROR", [["code", "permission_denied"]], `Not trusted ${line}`);
    const room = peer.subscribe("room SUB 1", () => undefined);
    peer.enablePublish("room");
    socket.takes();
    refuse("SUB room SUB 1");
    refuse("EPUB room");
    refuse("SUB other");
    const waits: number[] = [];
    for (let round = 0; round < 9; round++) {
      const before = clock.now();
      while (!socket.takesLines().includes("SUB room SUB 1")) clock.advance(50);
      waits.push(clock.now() - before);
      refuse("SUB room SUB 1");
    }
    assert.deepEqual(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    assert.deepEqual(said.slice(1), [
      "the server: Not trusted SUB room SUB 1",
      "the server: Not trusted EPUB room",
      "the server: Not trusted SUB other",
    ]);
    clock.advance(15_000); // this time it is not refused
    clock.advance(100_000);
    socket.takes();
    refuse("SUB room SUB 1"); // the service has left
    assert.equal(said.length, 5);
    room.close();
    socket.takes();
    clock.advance(100_000);
    assert.deepEqual(socket.takes(), []);
    refuse("EPUB room");
    peer.close();
    assert.equal(clock.pending, 0);
  });

  test("uids are set, and a body goes out dot-stuffed", async () => {
    const { peer, socket } = await Connected.open();
    peer.setUid("someone", "ada");
    peer.publish("a", ".\r\n..", [
      ["X", "1"],
      ["x", "2"],
    ]);
    assert.deepEqual(socket.sent, [
      "INT UID\r\nforcid:someone\r\nsetuid:ada\r\n\r\n\r\n.\r\n",
      "PUB a\r\nX:1\r\nx:2\r\n\r\n..\r\n...\r\n.\r\n",
    ]);
  });
});

describe("services", () => {
  test("answers go back under the server's number, errors with their codes", async () => {
    const { peer, socket, said } = await Connected.open();
    peer.serve("Echo", ({ body, headers }) => {
      switch (headers.get("cmd")) {
        case "plain":
          return body;
        case "headers":
          return { body, headers: { "X-Seen": "yes" } };
        case "nothing":
          return undefined;
        case "refuse":
          throw new LintelError("not_found", "no milk left", { reason: "SOLD_OUT" });
        case "split":
          return { headers: { "X-Seen": "a\r\n.\r\n" } };
        case "forged":
          return { headers: { rid: "0" } };
        case "number":
          return 7 as never;
        default:
          throw new Error("a secret");
      }
    });
    assert.throws(() => peer.serve("Echo", () => ""), { code: "already_exists" });
    const kinds = ["plain", "headers", "nothing", "refuse", "split", "forged", "number", "crash"];
    for (const [rid, cmd] of kinds.entries())
      socket.says(
        "REQ",
        "Echo",
        [
          ["rid", String(rid)],
          ["cmd", cmd],
        ],
        "hi",
      );
    socket.says("REQ", "Other", [["rid", "99"]]);
    await turn();
    const internal = [
      ["Error-Code", "internal"],
      ["Error-Reason", "HANDLER_FAILED"],
    ];
    const failure = "the handler failed; its log says why";
    const answers = socket.takes().slice(1);
    assert.deepEqual(answers.map(({ headers, body }) => [...headers, body]).toSorted(byRid), [
      [["rid", "0"], "hi"],
      [["rid", "1"], ["X-Seen", "yes"], "hi"],
      [["rid", "2"], ""],
      [["rid", "3"], ["Error-Code", "not_found"], ["Error-Reason", "SOLD_OUT"], "no milk left"],
      ...["4", "5", "6", "7"].map((rid) => [["rid", rid], ...internal, failure]),
    ]);
    assert.deepEqual([said.length, answers.every(({ target }) => target === "Echo")], [5, true]);
  });

  test("T-65: the signal fires when the answer is no longer wanted, and none is sent", async () => {
    const connected = await Connected.open();
    const { peer } = connected;
    const reasons: string[] = [];
    const answers: (() => void)[] = [];
    peer.serve("Slow", (_, { signal }) => {
      signal.addEventListener("abort", () => reasons.push((signal.reason as LintelError).reason));
      return new Promise((resolve) => answers.push(() => resolve("late")));
    });
    const ask = (rid: string): void => connected.socket.says("REQ", "Slow", [["rid", rid]]);
    ask("1");
    ask("2");
    ask("3");
    connected.socket.says(
      "PUB",
      "CANCEL",
      [
        ["rid", "1"],
        ["reason", "CALLER_GONE"],
      ],
      "Slow",
    );
    connected.socket.says(
      "PUB",
      "CANCEL",
      [
        ["rid", "2"],
        ["reason", "DEADLINE"],
      ],
      "Slow",
    );
    await connected.reconnects();
    ask("3");
    for (const answer of answers.splice(0, 3)) answer();
    await turn();
    assert.deepEqual(reasons, ["CALLER_GONE", "DEADLINE", "CONNECTION_LOST"]);
    assert.deepEqual(connected.socket.takesLines(), ["EREQ Slow"]);
    answers[0]!();
    await turn();
    assert.deepEqual(connected.socket.takesLines(), ["RES Slow"]);
    ask("4");
    peer.close();
    assert.equal(reasons.at(-1), "CLOSED");
  });

  test("T-66: a server that asks and does not read answers is left", async () => {
    const connected = await Connected.open();
    connected.peer.serve("Echo", ({ body }) => body);
    connected.socket.bufferedAmount = 40_000_000;
    connected.socket.says("REQ", "Echo", [["rid", "1"]]);
    await turn();
    assert.equal(connected.said.at(-1), "connecting SLOW_CONSUMER");
    assert.equal(connected.socket.readyState, 2);
  });
});
