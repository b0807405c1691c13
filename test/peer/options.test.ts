/** Options of the wrong kind: refused by the call they are given to, in words that say what to write. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eisenRequest, eisenResponse, kv, msgpack, xml } from "../../src/codec/index.ts";
import { connect as connectClient } from "../../src/client/node.ts";
import {
  LintelError,
  TransportRegistry,
  attachment,
  connect,
  createHub,
  event,
  firstOf,
  pipe,
  type Codec,
  type Hub,
  type Peer,
} from "../../src/index.ts";

const URL_OF_HUB = "memory:options";
let hub: Hub;
let peer: Peer;

before(async () => {
  hub = await createHub({ http: false, listen: [URL_OF_HUB, "ws://127.0.0.1:0"] });
  await hub.serve("echo", (value) => value);
  peer = await connect(URL_OF_HUB);
});
after(async () => {
  await peer.close();
  await hub.close();
});

/** The type system would not let any of these pass: those who write JavaScript have no other help than the error. */
const wrong = (options: unknown): never => options as never;

function refuses(call: () => unknown, message: RegExp): Promise<void> {
  const made = async (): Promise<unknown> => call();
  return assert.rejects(made(), (error: unknown) => {
    // the one that was a RangeError before there was a code still is
    assert.ok(error instanceof LintelError || error instanceof RangeError, `it is ${String(error)}`);
    assert.equal((error as LintelError).code, "invalid_argument");
    assert.match(error.message, message);
    return true;
  });
}

const NO_CODECS: readonly (readonly [what: string, codec: unknown, message: RegExp])[] = [
  ["the name of one", "kv", /"kv", .*await kv\(\).*lintel\/codecs/],
  ["another name", "MsgPack", /await msgpack\(\)/],
  ["the name of JSON", "json", /left out for JSON/],
  ["an unknown name", "bson", /"bson".*await msgpack\(\).*kv, msgpack, xml/],
  ["a function that was not called", msgpack, /called: await msgpack\(\)/],
  ["another", xml, /called: await xml\(\)/],
  ["a promise", msgpack(), /waited for: await msgpack\(\)/],
  ["an empty object", {}, /contentType, encode, decode and transfer/],
  ["half a codec", { contentType: "a/b", encode: () => "" }, /contentType, encode, decode and transfer/],
  ["a list", [kv], /such as await msgpack\(\)/],
  ["a number", 5, /such as await msgpack\(\)/],
  ["null", null, /such as await msgpack\(\)/],
];

describe("what is given as a codec", () => {
  for (const [what, codec, message] of NO_CODECS) {
    test(`${what} is refused everywhere`, async () => {
      const options = wrong({ codec });
      await refuses(() => connect(URL_OF_HUB, options), message);
      await refuses(() => connectClient(hub.urls[1]!, options), message);
      await refuses(() => createHub({ http: false, listen: [], ...(options as object) }), message);
      for (const one of [peer, hub]) {
        await refuses(() => one.request("echo", { a: 1 }, options), message);
        await refuses(() => one.open("echo", { a: 1 }, options), message);
        await refuses(() => one.publish("news", { a: 1 }, options), message);
      }
      const codecs = wrong({ codecs: [kv, codec] });
      await refuses(() => connect(URL_OF_HUB, codecs), /a list of codecs/);
      await refuses(() => createHub({ http: false, listen: [], ...(codecs as object) }), /a list of codecs/);
    });
  }

  test("codecs that are no list are refused", async () => {
    for (const codecs of ["kv", kv, {}, null, 5]) {
      await refuses(() => connect(URL_OF_HUB, wrong({ codecs })), /a list of codecs/);
      await refuses(() => createHub(wrong({ http: false, listen: [], codecs })), /a list of codecs/);
    }
  });

  test("every codec is made by a function, and those that were values still are", async () => {
    const value = { name: ["Ada"] };
    for (const codec of [await kv(), kv, await msgpack(), await xml()] as const satisfies Codec[]) {
      const own = await connect(URL_OF_HUB, { codec });
      const codecs = [await kv(), await msgpack(), await xml()];
      const worker = await connect(URL_OF_HUB, { codecs });
      await worker.serve("typed", ({ name }: { name: unknown }, { headers }) => ({
        name,
        type: [headers.get("content-type")],
      }));
      assert.deepEqual(await own.request("typed", value), { ...value, type: [codec.contentType] });
      await worker.close();
      await own.close();
    }
    assert.equal((await kv()).name, "kv");
    assert.equal(kv.name, "kv");
    for (const codec of [eisenRequest, eisenResponse])
      assert.equal((await codec()).contentType, codec.contentType);
  });
});

const CALLS: Readonly<Record<string, readonly (readonly [call: () => unknown, message: RegExp])[]>> = {
  request: [
    [() => peer.request("echo", 1, wrong({ timeoutMs: NaN })), /timeoutMs is NaN.*milliseconds/],
    [() => peer.request("echo", 1, wrong({ timeoutMs: "5" })), /timeoutMs is "5".*milliseconds/],
    [() => peer.request("echo", 1, wrong({ timeoutMs: -1 })), /timeoutMs is -1/],
    [() => peer.request("echo", 1, wrong({ timeoutMs: null })), /timeoutMs is null/],
    [() => peer.request("echo", 1, wrong({ timeoutMs: 5n })), /timeoutMs is 5/],
    [() => peer.request("echo", 1, wrong({ signal: {} })), /signal is an object.*AbortSignal/],
    [() => peer.request("echo", 1, wrong({ signal: null })), /signal is null.*AbortSignal/],
    [() => peer.request("echo", 1, wrong({ signal: new AbortController() })), /signal is a AbortController/],
    [() => peer.request("echo", 1, wrong({ streams: {} })), /streams is an object.*a list/],
    [() => peer.request("echo", 1, wrong({ streams: ["no stream"] })), /only streams can be carried/],
    [() => peer.request("echo", 1, wrong({ headers: new Map([["a", "b"]]) })), /headers are a Map/],
    [() => peer.request("echo", 1, wrong({ headers: new Headers({ a: "b" }) })), /headers are a Headers/],
    [() => peer.request("echo", 1, wrong({ headers: [["a", "b"]] })), /headers are a list/],
    [() => peer.request("echo", 1, wrong({ headers: "a: b" })), /headers are "a: b"/],
    [() => peer.request("echo", 1, wrong({ headers: { a: 5 } })), /value of a is not a string/],
    [() => peer.request(wrong(5)), /5 is not a subject: it is not a string/],
    [() => hub.request(wrong(undefined)), /undefined is not a subject/],
  ],
  open: [
    [() => peer.open("echo", 1, wrong({ timeoutMs: "5" })), /open: timeoutMs/],
    [() => peer.open("echo", 1, wrong({ signal: "x" })), /open: signal/],
    [() => peer.open("echo", 1, wrong({ streams: {} })), /open: streams/],
    [() => peer.open("echo", 1, wrong({ headers: new Map() })), /headers are a Map/],
  ],
  publish: [
    [() => peer.publish("news", 1, wrong({ headers: new Map() })), /headers are a Map/],
    [() => hub.publish(wrong({}), 1), /not a subject/],
  ],
  serve: [
    [() => peer.serve("s", wrong("x")), /the handler is "x".*a function/],
    [() => peer.serve("s", wrong(undefined)), /the handler is undefined/],
    [() => peer.serve("s", () => 1, wrong({ concurrency: NaN })), /concurrency is NaN/],
    [() => peer.serve("s", () => 1, wrong({ concurrency: "4" })), /concurrency is "4"/],
    [() => peer.serve("s", () => 1, wrong({ concurrency: 1.5 })), /concurrency is 1.5/],
    [() => peer.serve("s", () => 1, wrong({ queue: 5 })), /queue is 5/],
    [() => peer.serve("s", () => 1, wrong("x")), /its options are "x"/],
    [() => peer.serve("s", () => 1, wrong(null)), /its options are null/],
    [() => hub.serve(wrong(null), () => 1), /not a pattern/],
  ],
  subscribe: [
    [() => peer.subscribe("s", wrong("x")), /"x"/],
    [() => peer.subscribe("s", wrong(5)), /5/],
    [() => peer.subscribe("s", () => 1, wrong("x")), /its options are "x"/],
    [() => peer.subscribe(wrong(5)), /not a pattern/],
  ],
  drain: [
    [() => peer.drain(wrong({ streamGraceMs: "x" })), /streamGraceMs is "x"/],
    [() => peer.drain(wrong({ streamGraceMs: NaN })), /streamGraceMs is NaN/],
    [() => peer.drain(wrong(5)), /its options are 5/],
  ],
  connect: [
    [() => connect(wrong(5)), /a URL as a string/],
    [() => connect(wrong(new URL("tcp://127.0.0.1:1"))), /a URL as a string/],
    [() => connect(wrong([URL_OF_HUB])), /a URL as a string/],
    [() => connectClient(wrong(5)), /the URL is 5/],
    [() => connect(URL_OF_HUB, wrong("x")), /its options are "x"/],
    [() => connect(URL_OF_HUB, wrong({ transports: {} })), /transports is an object.*TransportRegistry/],
    [() => connect(URL_OF_HUB, wrong({ timeoutMs: "5" })), /timeoutMs is "5"/],
    [() => connect(URL_OF_HUB, wrong({ requestTimeoutMs: NaN })), /requestTimeoutMs is NaN/],
    [() => connect(URL_OF_HUB, wrong({ name: 5 })), /name is 5.*a string/],
    [() => connect(URL_OF_HUB, wrong({ onState: "x" })), /onState is "x".*a function/],
    [() => connect(URL_OF_HUB, wrong({ onError: 5 })), /onError is 5.*a function/],
    [() => connect(URL_OF_HUB, wrong({ limits: "x" })), /limits is "x"/],
    [() => connect(URL_OF_HUB, wrong({ limits: { payload: "1MB" } })), /limits.payload is "1MB".*a number/],
    [() => connect(URL_OF_HUB, wrong({ limits: { payload: NaN } })), /limits.payload is NaN/],
  ],
  createHub: [
    [() => createHub(wrong(null)), /its options are null/],
    [() => createHub(wrong("x")), /its options are "x"/],
    ...Object.entries({
      http: [-1, "x", null, []],
      listen: ["tcp://127.0.0.1:0", {}, 5],
      tls: ["x", 5],
      beam: [true, 5, null, {}, { path: 5 }],
      grpc: [true, 70_000, null],
      commands: [false, null, 70_000_000, "udp://a", { path: "socket" }, { serve: [">>"] }, ["x"]],
      jobs: ["x", 5, null],
      name: [5, {}],
      transports: ["x", {}],
      limits: ["x", { timeout: "5 parsecs" }, { payload: -1 }],
      onSession: ["x"],
      onService: [5],
      onPoll: [{}],
      onError: [null],
    }).flatMap(([name, values]) =>
      values.map(
        (value) =>
          [
            () => createHub(wrong({ http: false, listen: [], [name]: value })),
            name === "beam" && typeof value === "object" && value !== null ? /path is / : new RegExp(name),
          ] as const,
      ),
    ),
    ...[5, null, {}, { url: 5 }, []].map(
      (at) => [() => createHub(wrong({ http: false, listen: [at] })), /where to listen is/] as const,
    ),
    [() => createHub(wrong({ listen: [], http: { port: 0, routes: {} } })), /routes is an object.*a list/],
  ],
  "a hub": [
    [() => hub.listen(wrong(5)), /where to listen is 5/],
    [() => hub.openHttp(wrong(8500)), /the argument is 8500/],
    [() => hub.handler(wrong("x")), /the argument is "x"/],
    [() => hub.attach(wrong({})), /the server is an object/],
  ],
  others: [
    [() => new TransportRegistry().add(wrong({ scheme: "x" })), /scheme, supports, dial and listen/],
    [() => attachment(wrong("x")), /only a socket/],
    [() => attachment(0, wrong("stream")), /its options are "stream"/],
    [() => event(1, wrong("x")), /its options are "x"/],
    [() => firstOf(wrong(5)), /its argument is 5.*a list/],
    [() => pipe(wrong({}), wrong({})), /two channels/],
  ],
};

for (const [name, calls] of Object.entries(CALLS)) {
  test(`${name}: options of the wrong kind are refused with invalid_argument`, async () => {
    for (const [call, message] of calls) await refuses(call, message);
  });
}

test("what options may be besides: nothing, null where it means nothing, any time, signals of others", async () => {
  const signal = Object.assign(new EventTarget(), { aborted: false, reason: undefined }) as AbortSignal;
  for (const options of [
    undefined,
    {},
    { timeoutMs: Infinity },
    { timeoutMs: 1e9 },
    { signal },
    { streams: [] },
  ])
    assert.equal(await peer.request("echo", 1, options), 1);
  const nothing = { limits: null, transports: null, name: null, timeoutMs: Infinity };
  await (await connect(URL_OF_HUB, wrong(nothing))).close();
  await (await connect(URL_OF_HUB, wrong(null))).close();
  const own = await createHub(wrong({ http: false, listen: [], limits: null, transports: null }));
  await own.close();
});
