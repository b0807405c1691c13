import assert from "node:assert/strict";
import type { ValueKind } from "../../../codec/codec.ts";
import { json } from "../../../codec/json.ts";
import type { Case, Harness } from "../case.ts";
import { STRICT, carries, carriesKey } from "../needs.ts";
import { SAMPLES, comparable } from "../value-samples.ts";
import { failureOf, later } from "../waiting.ts";

/** No codec takes these for a value: no UTF-8, no number, no length that fits. */
const UNDECODABLE = Uint8Array.from({ length: 32 }, (_, index) => (index % 2 === 0 ? 0xff : 0xc1));

/** Each sample goes to a handler and comes back, bare and within whatever the codec nests. */
async function carriesBothWays(harness: Harness, kind: ValueKind): Promise<void> {
  const { caller, worker, subject, codec } = harness;
  const { kinds } = codec.supports;
  const arrived: unknown[] = [];
  await worker.serve(subject("echo"), (value) => {
    arrived.push(value);
    return value;
  });
  for (const sample of SAMPLES[kind]) {
    const forms: unknown[] = [sample];
    if (kinds.includes("array")) forms.push([sample, [sample]]);
    if (kinds.includes("object")) forms.push({ here: sample, deeper: { there: sample } });
    for (const value of forms) {
      const answer = await caller.request(subject("echo"), value);
      assert.deepEqual(comparable(arrived.pop()), comparable(value));
      assert.deepEqual(comparable(answer), comparable(value));
    }
  }
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
}

const BY_KIND: readonly Case[] = (Object.keys(SAMPLES) as ValueKind[]).map((kind) => ({
  name: `carries every ${kind} both ways`,
  needs: [carries(kind)],
  run: (harness) => carriesBothWays(harness, kind),
}));

export const VALUES: readonly Case[] = [
  ...BY_KIND,
  {
    name: "carries the key __proto__ like any other",
    needs: [carries("object", "number"), carriesKey("__proto__")],
    async run({ caller, worker, subject }) {
      await worker.serve(subject("echo"), (value) => value);
      const value: unknown = JSON.parse('{"__proto__":{"polluted":1}}');
      const answer = await caller.request(subject("echo"), value);
      assert.deepEqual(comparable(answer), value);
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    },
  },
  {
    name: "carries text, bytes and no value both ways, whatever the codec",
    needs: [],
    async run({ caller, worker, subject }) {
      await worker.serve(subject("echo"), (value) => value);
      const echo = (value: unknown): Promise<unknown> => caller.request(subject("echo"), value);
      for (const value of [undefined, ...SAMPLES.string]) assert.equal(await echo(value), value);
      for (const value of SAMPLES.bytes) assert.deepEqual(comparable(await echo(value)), comparable(value));
    },
  },
  {
    name: "carries values of the codec to handlers, callers and listeners",
    needs: [],
    async run({ caller, worker, subject, write, read }) {
      const heard = later<unknown>();
      await worker.subscribe(subject("news"), heard.resolve);
      await worker.serve(subject("next"), (value) => {
        const { n, text } = read(value);
        return write(n + 1, text.repeat(2));
      });
      assert.deepEqual(read(await caller.request(subject("next"), write(41, "ab"))), { n: 42, text: "abab" });
      await caller.publish(subject("news"), write(7));
      assert.deepEqual(read(await heard.promise), { n: 7, text: "" });
    },
  },
  {
    name: "gives the handler values that nobody else can change",
    needs: [carries("array", "object", "number")],
    async run({ caller, worker, subject }) {
      const kept: { list: number[] }[] = [];
      await worker.serve(subject("keep"), (value: { list: number[] }) => {
        kept.push(value);
        value.list.push(9);
        return value;
      });
      const sent = { list: [1] };
      const answer = await caller.request<{ list: number[] }>(subject("keep"), sent);
      assert.deepEqual(sent.list, [1]);
      assert.deepEqual([...answer.list], [1, 9]);
      assert.notEqual(answer.list, kept[0]?.list);
    },
  },
  {
    name: "understands a peer that has no codec of its own",
    needs: [carries("array", "object", "number", "boolean", "null", "string")],
    async run({ caller, worker, join, subject }) {
      const plain = await join("plain");
      const value = { list: [1, "two", null, true] };
      await worker.serve(subject("echo"), (arrived) => arrived);
      assert.deepEqual(comparable(await plain.request(subject("echo"), value)), value);
      await plain.serve(subject("plain"), (arrived: typeof value) => arrived.list);
      const answer = await caller.request(subject("plain"), value, { codec: json });
      assert.deepEqual(comparable(answer), value.list);
    },
  },
  {
    name: "refuses a request whose payload is not what its type says, before any handler",
    needs: [STRICT],
    async run({ caller, worker, codec, subject }) {
      await worker.serve(subject("strict"), () => assert.fail("it was executed"));
      const headers = { "content-type": codec.contentType };
      const error = await failureOf(caller.request(subject("strict"), UNDECODABLE, { headers }));
      assert.equal(error.code, "invalid_argument");
      assert.equal(error.reason, "BAD_PAYLOAD");
    },
  },
  {
    name: "gives the bytes of an answer that is not what its type says",
    needs: [STRICT],
    async run({ caller, worker, codec, subject }) {
      await worker.serve(subject("liar"), (_value, context) => {
        context.reply.headers["content-type"] = codec.contentType;
        return UNDECODABLE;
      });
      const reply = await caller.request(subject("liar"), undefined, { full: true });
      assert.deepEqual(comparable(reply.body), UNDECODABLE);
      assert.throws(() => reply.value, { reason: "BAD_PAYLOAD" });
      assert.equal((await failureOf(caller.request(subject("liar")))).reason, "BAD_PAYLOAD");
    },
  },
  {
    name: "passes bytes on that no codec can read",
    needs: [],
    async run({ caller, worker, subject }) {
      const headers = { "content-type": "application/x-nobody-knows" };
      const heard = later<unknown>();
      await worker.subscribe(subject("opaque"), (value, publication) =>
        heard.resolve([comparable(value), publication.headers.get("content-type")]),
      );
      await worker.serve(subject("opaque"), (value, context) => {
        context.reply.headers["content-type"] = context.headers.get("content-type") ?? "";
        return value;
      });
      const reply = await caller.request(subject("opaque"), UNDECODABLE, { headers, full: true });
      assert.deepEqual(comparable(reply.value), UNDECODABLE);
      assert.equal(reply.headers.get("content-type"), headers["content-type"]);
      await caller.publish(subject("opaque"), UNDECODABLE, { headers });
      assert.deepEqual(await heard.promise, [UNDECODABLE, headers["content-type"]]);
    },
  },
];
