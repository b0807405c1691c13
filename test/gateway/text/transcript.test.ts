/** T-1 to T-33, as clients of the original see them. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createHub, type Hub } from "../../../src/index.ts";
import { until } from "../../house/until.ts";
import { CLIENT, OBSERVER, RawText, SERVICE, frame, parse, textHub } from "./raw-text.ts";

let hub: Hub;
let url: string;
before(async () => {
  hub = await textHub();
  url = hub.textUrl!;
});
after(() => hub.close());

const service = (): Promise<RawText> => RawText.open(url, SERVICE);
const client = (): Promise<RawText> => RawText.open(url, CLIENT);
const stamps = ({ guid }: RawText, uid = ""): string[] => [`cid:${guid}`, `uid:${uid}`];

describe("keys and greetings", () => {
  test("T-2: a good key is answered with MM OK and the GUID, in two frames", async () => {
    await using one = await RawText.dial(url, SERVICE);
    assert.equal(await one.next(), "MM OK");
    assert.match(await one.next(), /^[0-9a-v]{20}$/);
  });

  test("T-2: the short greeting is MM OK alone, by URL or by option", async () => {
    await using asked = await RawText.dial(`${url}any/path?greeting=short`, SERVICE);
    assert.equal(await asked.next(), "MM OK");
    assert.deepEqual(await asked.settled(), []);
    await using short = await textHub({ text: { listen: 0, greeting: "short" } });
    await using by = await RawText.dial(short.textUrl!, SERVICE);
    assert.equal(await by.next(), "MM OK");
    assert.deepEqual(await by.settled(), []);
    await using two = await RawText.dial(`${short.textUrl!}?greeting=two`, SERVICE);
    assert.equal(await two.next(), "MM OK");
    assert.match(await two.next(), /^[0-9a-v]{20}$/);
  });

  for (const [what, key] of Object.entries({ "a bad key": "wrong", "no key": "" }))
    test(`T-3: ${what}: 1008 with a reason, and nothing is sent before`, async () => {
      await using one = await RawText.dial(url, key);
      const { code, reason } = await one.ended();
      assert.equal(code, 1008);
      assert.notEqual(reason, "");
      assert.deepEqual(one.heard, []);
    });

  test("T-3: a binary message or a long one is no key", async () => {
    await using one = await RawText.dial(url, "x".repeat(8_193));
    assert.equal((await one.ended()).code, 1008);
    await using other = await RawText.dial(url, "");
    other.socket.send(Buffer.from(SERVICE), { binary: true });
    assert.equal((await other.ended()).code, 1008);
  });

  test("T-3: a connection that sends no key is closed", async () => {
    await using impatient = await textHub({ limits: { helloTimeout: 50 } });
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(impatient.textUrl!);
    const code = await new Promise((resolve) => socket.on("close", resolve));
    assert.equal(code, 1008);
  });

  test("T-1: commands that come with the key are executed, in order", async () => {
    await using one = await RawText.dial(url, SERVICE);
    one.send(frame("SUB early"));
    one.send(frame("PUB early", [], "1"));
    assert.deepEqual([await one.next(), (await one.next()).length], ["MM OK", 20]);
    assert.equal((await one.message()).body, "1");
  });

  test("T-4: the HTTP port has it at /text, or where the option says", async () => {
    for (const [text, path] of [
      [true, "/text"],
      [{ path: "/mm" }, "/mm"],
    ] as const) {
      await using here = await textHub({ http: "127.0.0.1:0", text });
      assert.equal(here.textUrl, here.httpUrl!.replace("http", "ws") + path);
      await using one = await RawText.open(here.textUrl, SERVICE);
      assert.deepEqual(await one.settled(), []);
    }
  });

  test("T-4: a hub without access lets every key in, and may do everything", async () => {
    await using open = await createHub({ http: false, listen: [], text: 0 });
    await using one = await RawText.open(open.textUrl!, "whatever");
    one.send(frame("SUB a"));
    one.send(frame("PUB a", [], "b"));
    assert.equal((await one.message()).body, "b");
  });
});

describe("publications", () => {
  test("T-10: PUB goes to every subscriber, the sender included, once, with stamps, spelling kept", async () => {
    await using one = await service();
    await using two = await service();
    two.send(frame("SUB a room"));
    two.send(frame("SUB a room"));
    assert.deepEqual(await two.settled(), []);
    one.send(frame("SUB a room"));
    one.send(frame("PUB a room", ["X-Foo: bar", "X-FOO:baz", "cid: forged", "UID:forged"], "hi"));
    for (const receiver of [one, two]) {
      assert.deepEqual(await receiver.message(), {
        first: "PUB a room",
        headers: ["X-Foo: bar", "X-FOO:baz", ...stamps(one)],
        body: "hi",
      });
      assert.deepEqual(await receiver.settled(), []);
    }
  });

  test("T-10: the bytes of a publication, and of one without a body, LF and CRLF alike", async () => {
    await using one = await service();
    one.send("SUB K\n\n.\n");
    for (const [sent, body] of [
      ["PUB K\r\n\r\n.\r\n", ""],
      ["PUB K\r\n\r\n\r\n.\r\n", ""],
      ["PUB K\n\n.\n", ""],
      ["PUB K\n\na\n..\n.\n", "a\n.."],
      ["PUB K\n\na\r\n.\r\n", "a"],
      ["PUB K\n\n\n\n.\n", "\n"],
    ] as const) {
      one.send(sent);
      assert.equal(await one.next(), `PUB K\r\ncid:${one.guid}\r\nuid:\r\n\r\n${body}\r\n.\r\n`);
    }
  });

  test("T-10: publications of one sender keep their order", async () => {
    await using one = await service();
    await using two = await service();
    two.send(frame("SUB order"));
    await two.settled();
    for (let index = 0; index < 500; index++) one.send(frame("PUB order", [], String(index)));
    for (let index = 0; index < 500; index++) assert.equal((await two.message()).body, String(index));
  });

  test("T-11: UNS ends a subscription, and is no error without one", async () => {
    await using one = await service();
    one.send(frame("SUB here"));
    one.send(frame("UNS here"));
    one.send(frame("UNS nowhere"));
    one.send(frame("PUB here", [], "x"));
    assert.deepEqual(await one.settled(), []);
  });

  test("T-12: each connection has a private channel", async () => {
    await using one = await service();
    await using two = await client();
    one.send(frame(`PUB MSG:${two.guid}`, [], "psst"));
    assert.deepEqual(await two.message(), {
      first: `PUB MSG:${two.guid}`,
      headers: stamps(one),
      body: "psst",
    });
  });

  test("T-13: targets are any text, and each is its own", async () => {
    await using one = await service();
    const targets = ["a.b", "a..b", ".", "*", ">", "a b", "ä:ö", "--41", "A", "_x", "MSG:", "x".repeat(80)];
    for (const target of targets) one.send(frame(`SUB ${target}`));
    for (const target of targets) {
      one.send(frame(`PUB ${target}`, [], `to ${target}`));
      assert.deepEqual(await one.message(), {
        first: `PUB ${target}`,
        headers: stamps(one),
        body: `to ${target}`,
      });
    }
    one.send(frame(`PUB ${"ä".repeat(200)}`));
    assert.match((await one.message()).body, / PUB ä+$/);
    assert.deepEqual(await one.settled(), []);
  });

  test("T-14: INT sets the user that is stamped; nobody else's connection is changed", async () => {
    await using one = await service();
    await using two = await client();
    one.send(frame("EPUB user room"));
    one.send(frame("SUB user room"));
    one.send(frame("INT UID", [`forcid: ${two.guid}`, "setuid: ada"]));
    assert.deepEqual(await one.settled(), []);
    two.send(frame("PUB user room", [], "x"));
    assert.deepEqual((await one.message()).headers, stamps(two, "ada"));
    one.send(frame("PUB user room", [], "y"));
    assert.deepEqual((await one.message()).headers, stamps(one));
  });

  test("T-14: INT with an unknown cid, without one, or with another target is an ERROR", async () => {
    await using one = await service();
    for (const [first, ...headers] of [
      ["INT UID", "forcid:none", "setuid:x"],
      ["INT UID", "setuid:x"],
      ["INT UID", `forcid:${one.guid}`],
      ["INT OTHER", `forcid:${one.guid}`, "setuid:x"],
      ["INT UID", `forcid:${one.guid}`, `setuid:${"x".repeat(256)}`],
    ] as const) {
      one.send(frame(first, headers));
      const { first: line, body } = await one.message();
      assert.equal(line, "PUB ERROR");
      assert.ok(body.endsWith(` ${first}`), body);
    }
    one.send(frame("SUB me"));
    one.send(frame("PUB me"));
    assert.deepEqual((await one.message()).headers, stamps(one));
  });
});

describe("requests", () => {
  /** Answers with what was asked, every header echoed in lower case, as the Python library does. */
  function echo(responder: RawText): void {
    responder.socket.on("message", (data: Buffer) => {
      const text = data.toString();
      if (!text.startsWith("REQ ")) return;
      responder.heard.splice(responder.heard.indexOf(text), 1);
      const { first, headers, body } = parse(text);
      const lower = headers.map((line) => line.toLowerCase());
      responder.send(`${first.replace("REQ", "RES")}\n${lower.join("\n")}\n\n${body}\r\n.\r\n`);
    });
  }

  test("T-20: a request goes to a responder and back, with the requester's ReqID and rid as they were", async () => {
    await using chat = await service();
    await using page = await client();
    chat.send("EREQ Chat\r\n\r\n\r\n.\r\n");
    await chat.settled();
    page.send(frame("REQ Chat", ["ReqID: 17", "rid: own", "cmd: Say"], "hello"));
    const request = await chat.message();
    const [rid, ...others] = request.headers;
    assert.match(rid!, /^rid:\d+$/);
    assert.deepEqual(
      { ...request, headers: others },
      { first: "REQ Chat", headers: ["ReqID: 17", "cmd: Say", ...stamps(page)], body: "hello" },
    );
    chat.send(`RES Chat\nreqid: 17\n${rid}\ncmd: Say\ncid:x\n\nfine\r\n.\r\n`);
    assert.deepEqual(await page.message(), {
      first: "RES Chat",
      headers: ["ReqID: 17", "rid: own", "cmd: Say", ...stamps(chat)],
      body: "fine",
    });
  });

  test("T-20: EREQ lets clients request and publish; with its last service that ends", async () => {
    await using page = await client();
    {
      await using one = await service();
      await using two = await service();
      for (const responder of [one, two]) {
        responder.send(frame("EREQ Echo"));
        responder.send(frame("SUB Echo"));
        await responder.settled();
        echo(responder);
      }
      page.send(frame("PUB Echo", [], "p"));
      for (const responder of [one, two]) assert.equal((await responder.message()).body, "p");
      for (let index = 0; index < 20; index++)
        page.send(frame("REQ Echo", [`ReqID:${index}`], String(index)));
      const answers = await Promise.all(Array.from({ length: 20 }, () => page.message()));
      assert.deepEqual(
        answers.map(({ body }) => Number(body)).toSorted((a, b) => a - b),
        [...Array(20).keys()],
      );
      await one.close();
      await page.settled();
      page.send(frame("REQ Echo", [], "again"));
      assert.equal((await page.message()).body, "again");
    }
    await page.settled();
    for (const command of ["REQ", "PUB"]) {
      page.send(frame(`${command} Echo`, ["ReqID:1"]));
      const { first, headers, body } = await page.message();
      assert.equal(first, "PUB ERROR");
      assert.ok(headers.includes("ReqID:1"));
      assert.equal(body, `Not trusted ${command} Echo`);
    }
  });

  test("T-21: without a responder, and when the last one leaves, a request fails at once", async () => {
    await using asking = await service();
    asking.send(frame("REQ Nobody", ["ReqID:1"], "x"));
    const refused = await asking.message();
    assert.equal(refused.body, "No responder for REQ Nobody");
    assert.deepEqual(refused.headers.slice(0, 3), ["ReqID:1", "code:unavailable", "reason:NO_RESPONDERS"]);
    const responder = await service();
    responder.send(frame("EREQ Leaving"));
    await responder.settled();
    asking.send(frame("REQ Leaving", ["ReqID:2"]));
    await responder.message();
    await responder.close();
    const lost = await asking.message();
    assert.ok(lost.headers.includes("reason:WORKER_LOST"), String(lost.headers));
    assert.ok(lost.headers.includes("ReqID:2"));
  });

  test("T-22: a RES of one that does not hold the request is refused, twice as well as too late", async () => {
    await using holder = await service();
    await using other = await service();
    await using asking = await service();
    for (const responder of [holder, other]) responder.send(frame("EREQ Held", ["concurrency: 1"]));
    await holder.settled();
    await other.settled();
    asking.send(frame("REQ Held", ["ReqID:5"]));
    await until(() => holder.heard.length + other.heard.length > 0, "the request");
    const [taken] = [...(await holder.settled()), ...(await other.settled())];
    const rid = /rid:\d+/.exec(taken!)![0];
    for (const responder of [holder, other, asking]) {
      responder.send(frame("RES Held", ["rid:999999"], "forged"));
      assert.equal((await responder.message()).body, "No client for request ID RES Held");
      responder.send(frame("RES Held", [], "forged"));
      assert.equal((await responder.message()).body, "No client for request ID RES Held");
    }
    const all = [asking, holder, other];
    for (const responder of all) responder.send(frame("RES Held", [rid], "answer"));
    for (const responder of all) responder.send(frame("RES Held", [rid], "again"));
    await until(
      () => all.reduce((sum, { heard }) => sum + heard.length, 0) === 6,
      "the answer and five refusals",
    );
    const heard = all.flatMap((one) => one.heard.splice(0)).map((text) => parse(text));
    assert.deepEqual(
      heard.filter(({ first }) => first === "RES Held").map(({ body }) => body),
      ["answer"],
    );
    const refusals = heard.filter(({ body }) => body === "No client for request ID RES Held");
    assert.equal(refusals.length, 5);
  });

  test("T-23: Timeout sets the deadline, and a bad one is an ERROR", async () => {
    await using responder = await service();
    await using asking = await service();
    responder.send(frame("EREQ Slow"));
    await responder.settled();
    asking.send(frame("REQ Slow", ["ReqID:1", "Timeout: 50ms"]));
    const late = await asking.message();
    assert.ok(late.headers.includes("reason:DEADLINE"));
    asking.send(frame("REQ Slow", ["Timeout: soon"]));
    assert.match((await asking.message()).body, /Timeout .* REQ Slow$/);
  });

  test("T-24: Error-Code makes a RES a failure", async () => {
    await using responder = await service();
    responder.send(frame("EREQ Fails"));
    await responder.settled();
    const failed = hub.request("Fails", "x");
    const rid = /rid:\d+/.exec(await responder.next())![0];
    responder.send(
      frame("RES Fails", [rid, "Error-Code: not_found", "Error-Reason: NO_SUCH_ROOM"], "no such room"),
    );
    await assert.rejects(failed, { code: "not_found", reason: "NO_SUCH_ROOM", message: "no such room" });
  });

  test("T-40: a responder that refuses a request in its own words is heard by the client", async () => {
    await using responder = await service();
    await using asking = await client();
    responder.send(frame("EREQ Refuses"));
    await responder.settled();
    for (const [words, heard] of [
      ["sign in first", "sign in first REQ Refuses"],
      ["these credentials do not allow it", "Not trusted REQ Refuses"],
    ] as const) {
      asking.send(frame("REQ Refuses", ["ReqID: 1"]));
      const rid = /rid:\d+/.exec(await responder.next())![0];
      responder.send(frame("RES Refuses", [rid, "Error-Code: permission_denied"], words));
      assert.equal((await asking.message()).body, heard);
    }
  });

  test("T-25: a responder that wants to is told of requests that were canceled, and of their deadlines", async () => {
    await using responder = await service();
    responder.send(frame("EREQ Canceled", ["cancel: yes", "concurrency: 2"]));
    await responder.settled();
    const gone = new AbortController();
    const request = hub.request("Canceled", "x", { signal: gone.signal, timeoutMs: 5_000 });
    request.catch(() => undefined);
    const { headers } = await responder.message();
    assert.match(headers[1]!, /^timeout:[1-5]\d{3}ms$/);
    gone.abort();
    const canceled = await responder.message();
    assert.equal(canceled.first, "PUB CANCEL");
    assert.equal(canceled.headers[0], headers[0]);
    await assert.rejects(request);
  });
});

describe("observers", () => {
  test("T-30: an observer has a copy of everything, and may do nothing", async () => {
    await using observer = await RawText.open(url, OBSERVER);
    await using responder = await service();
    await using asking = await service();
    responder.send(frame("EREQ Seen"));
    await responder.settled();
    asking.send(frame("PUB anything at all", ["A: b"], "1"));
    asking.send(frame("REQ Seen", ["ReqID:1"], "2"));
    const rid = /rid:\d+/.exec(await responder.next())![0];
    responder.send(frame("RES Seen", [rid], "3"));
    await asking.next();
    asking.send(frame("REQ None", ["ReqID:2"], "4"));
    await asking.next();
    const seen = (await observer.settled()).map((text) => parse(text)).filter(({ body }) => body !== "");
    assert.deepEqual(
      seen.map(({ first, body }) => [first, body]),
      [
        ["PUB anything at all", "1"],
        ["REQ Seen", "2"],
        ["RES Seen", "3"],
        ["REQ None", "4"],
        ["PUB ERROR", "No responder for REQ None"],
      ],
    );
    for (const command of ["PUB", "SUB", "UNS", "REQ", "RES", "EREQ", "EPUB", "ESUB", "INT"]) {
      observer.send(frame(`${command} Seen`));
      assert.equal((await observer.message()).body, `Not trusted ${command} Seen`);
    }
  });
});

describe("frames that are none", () => {
  test("T-40: each is an ERROR, and ten in a row end the connection", async () => {
    await using one = await service();
    const bad = [
      "",
      "PUB",
      "PUB a",
      "PUB a\r\n\r\nbody",
      "PUB a\r\nno colon\r\n\r\n.\r\n",
      "PUB a\r\n\r\n.\r\nmore",
    ];
    for (const text of bad) {
      one.send(text);
      assert.equal((await one.message()).first, "PUB ERROR");
    }
    one.send(Buffer.from([0x50, 0xff]));
    assert.equal((await one.message()).first, "PUB ERROR");
    one.send(frame("SUB fine"));
    for (let index = 0; index < 10; index++) one.send("nonsense");
    const { code } = await one.ended();
    assert.equal(code, 1008);
    assert.equal(one.heard.length, 10);
  });

  test("T-41: an unknown command is an ERROR, and so is a header that other protocols cannot have", async () => {
    await using one = await service();
    one.send(frame("SUB x"));
    one.send(frame("HELLO you", ["ReqID:3"]));
    const { headers, body } = await one.message();
    assert.equal(body, "Unknown command HELLO you");
    assert.ok(headers.includes("ReqID:3"));
    one.send(frame("PUB x", ["a b:c"]));
    assert.match((await one.message()).body, / PUB x$/);
    one.send(frame("PUB x", ["a:\u0000"]));
    assert.match((await one.message()).body, / PUB x$/);
    assert.deepEqual(await one.settled(), []);
  });
});
