/** B-14 to B-18, B-27, B-46: programs of the first generation beside those of the second, told apart by their bytes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import {
  argumentsIn,
  decodeMessage,
  encodeFrame,
  type Argument,
  type BeamMessage,
  type Pairs,
} from "../../../src/gateway/beam/message.ts";
import type { Context } from "../../../src/peer/context.ts";
import { root } from "../../house/root.ts";
import { gatewayTest, openGateway, type Gateway } from "./harness.ts";
import { until } from "../../house/until.ts";

interface Said {
  readonly what: string;
  readonly got: unknown;
}

/** Descriptors of this process that lead to sockets, pipes and files that a test may have left. */
function open(): number {
  return readdirSync("/proc/self/fd").length;
}

const texts = async (stream: unknown): Promise<string> => new Response(stream as ReadableStream).text();

async function serve(harness: Gateway, taken: string[]): Promise<void> {
  const { peer } = harness;
  await peer.serve("greet", ([name]: string[]) => [`hello ${name}`]);
  await peer.serve("echo", (args) => args);
  await peer.serve("keys", (args: string[], { headers }: Context) => [...args, headers.get(":pairs")]);
  await peer.serve("stream", () => new Blob(["streamed"]).stream());
  await peer.serve("ready", () => undefined);
  await peer.serve("talk", async (_args, context) => {
    const channel = context.accept();
    for await (const message of channel) {
      const [name, ...rest] = message as [string, ...unknown[]];
      const last = rest.at(-1);
      const value = last instanceof ReadableStream ? await texts(last) : last;
      await channel.send([`heard ${name}`, String(value)]);
    }
  });
  await peer.serve("take", async ([what, stream]: [string, ReadableStream]) => {
    const text = await texts(stream);
    taken.push(`${what}: ${text.length > 50 ? `${text.length} characters` : text}`);
  });
  await peer.serve("give", async ([what, stream]: [string, WritableStream<Uint8Array>]) => {
    const writer = stream.getWriter();
    await writer.write(Buffer.from(`written to the ${what}`));
    await writer.close();
  });
}

gatewayTest(
  "a program of the first generation: answers, keys, bytes, streams, pipes, files, and as a worker",
  async () => {
    await using harness = await openGateway();
    const taken: string[] = [];
    await serve(harness, taken);
    await until(() => harness.gateway.stats().connections === 1, "the connection of the harness itself");
    const before = open();
    const child = spawn("python3", [`${root}/test/gateway/beam/first_generation.py`, harness.path]);
    child.stderr.pipe(process.stderr);
    const said: Said[] = [];
    let isDone = false;
    createInterface(child.stdout).on("line", (line) => {
      const one = JSON.parse(line) as Said;
      said.push(one);
      if (one.what === "done") isDone = true;
      if (one.what === "registered") void requests();
    });
    const answers: unknown[] = [];
    const requests = async (): Promise<void> => {
      answers.push(await harness.peer.request("first.one", ["a", { $bytes: "/v8=" }]));
      answers.push(await texts((await harness.peer.request<unknown[]>("first.pipe", ["b"])).at(-1)));
      const headers = { ":pairs": '{"env":["x",{"$bytes":"/w=="}]}' };
      answers.push(await harness.peer.request("first.keys", [], { headers }));
    };
    try {
      await until(() => isDone && taken.length === 2 && answers.length === 3, "all of it");
      const got = Object.fromEntries(
        said.filter(({ what }) => what !== "request").map(({ what, got: it }) => [what, it]),
      );
      const { failure, "no command": noCommand, ...rest } = got;
      for (const [refused, reason] of [
        [failure, "NO_RESPONDERS"],
        [noCommand, "BAD_SUBJECT"],
      ] as const) {
        const { cmd } = refused as { cmd: string[] };
        assert.deepEqual([cmd[0], cmd[3]], ["error", reason]);
      }
      assert.deepEqual(rest, {
        answer: { cmd: ["set", "hello Ada"] },
        "more keys": { cmd: ["set", "x", '{"type":["job"],"env":[{"$bytes":"/wA="},""]}'] },
        bytes: { cmd: ["set", "\xff\xfe", "text"] },
        stream: { cmd: ["ack"], attached: ["streamed"] },
        talk: { cmd: ["heard line", "one"] },
        "talk with a pipe": { cmd: ["heard log", "through a pipe"] },
        "talk ends": null,
        "written to a pipe": "written to the pipe",
        registered: { cmd: ["ack"] },
        "second generation": "18:3:set,9:hello Eve,,",
        "first again": { cmd: ["set", "hello Bob"] },
        done: null,
      });
      assert.deepEqual(taken.toSorted(), ["file: of a file", "pipe: 100000 characters"]);
      assert.deepEqual(
        said.filter(({ what }) => what === "request").map(({ got: it }) => it),
        [
          { cmd: ["first.one", "a", "\xfe\xff"] },
          { cmd: ["first.pipe", "b"] },
          { cmd: ["first.keys"], env: ["x", "\xff"] },
        ],
      );
      assert.deepEqual(answers, [
        ["a", { $bytes: "/v8=" }, { $bytes: "/w==" }],
        "of the worker",
        [{ $bytes: "/w==" }],
      ]);
      await until(
        () => readFileSync(`${harness.path}.file.out`, "utf8") === "written to the file",
        "the file",
      );
      assert.ok(
        harness.reported.includes("BAD_FRAME") && harness.reported.includes("BAD_SUBJECT"),
        harness.reported.join(),
      );
      assert.equal(harness.gateway.stats().malformed, 0);
    } finally {
      child.kill();
    }
    await until(() => harness.gateway.stats().attachments === 0, "the attachments");
    await until(() => harness.gateway.stats().connections === 1, "the connection");
    await until(() => open() <= before, "descriptors are closed");
  },
);

const message = (payload: string | Buffer): BeamMessage => {
  const bytes = Buffer.from(payload as string);
  return decodeMessage(bytes, 0, bytes.length);
};

test("B-14, B-15: key-value pairs are a message, whose name and arguments are those of `cmd`", () => {
  assert.deepEqual(message("000;3:cmd,8:5:greet,,"), { generation: 1, name: "greet", args: [] });
  assert.deepEqual(message("000;3:cmd,14:5:greet,3:Ada,,"), { generation: 1, name: "greet", args: ["Ada"] });
  assert.deepEqual(message("000;"), { generation: 1, name: "", args: [] });
  assert.deepEqual(message("000;3:cmd,0:,"), { generation: 1, name: "", args: [] });
  assert.deepEqual(message("000;1:a,4:1:b,,"), { generation: 1, name: "", args: [], pairs: { a: ["b"] } });
  const proto = message("000;9:__proto__,4:1:b,,3:cmd,4:1:x,,");
  assert.deepEqual(Object.entries(proto.pairs ?? {}), [["__proto__", ["b"]]]);
  assert.deepEqual(message("23:5:print,11:hello world,,"), { name: "print", args: ["hello world"] });
  const raw = message(Buffer.from("16:1:x,1:y,5:\xff\xfe\x00\x01\x02,,", "latin1"));
  assert.deepEqual(argumentsIn(raw), ["y", new Uint8Array([0xff, 0xfe, 0, 1, 2])]);
});

for (const payload of [
  "001;",
  "000",
  "000:",
  "0000;",
  "000;3:cmd,",
  "000;3:cmd",
  "000;3:cmd,8:5:greet,",
  "000;3:cmd,8:5:greet,,x",
  "000;3:cmd,7:5:greet,,",
  "000;03:cmd,8:5:greet,,",
  "000;3:cmd,8:5:greet,,3:cmd,8:5:greet,,",
  "000;99999999999:cmd,0:,",
  "000;18446744073709551615:c,0:,",
  "",
  "0:,",
]) {
  test(`B-17: ${JSON.stringify(payload)} is no message`, () => {
    assert.throws(() => message(payload), { reason: "BAD_PAYLOAD" });
  });
}

test("B-18: a name that is no UTF-8 breaks the format", () => {
  for (const payload of ["000;3:cmd,4:1:\xff,,", "4:1:\xff,,"])
    assert.throws(() => message(Buffer.from(payload, "latin1")), { reason: "BAD_PAYLOAD" });
});

test("B-16: each form comes back as it was", () => {
  for (const one of [
    { name: "greet", args: [] },
    { name: "", args: ["", "a,b:c", "x".repeat(1_000), new Uint8Array([0xff])] },
    { name: "café", args: ["ü"], pairs: { env: ["000;", new Uint8Array([0xc3])], "": [] } },
  ]) {
    for (const generation of [1, 2] as const) {
      const { name, args, pairs: given } = one as { name: string; args: Argument[]; pairs?: Pairs };
      const frame = encodeFrame(name, args, false, generation, given);
      const read = decodeMessage(frame, 4, frame.length);
      assert.equal(new DataView(frame.buffer).getUint32(0), frame.length - 4);
      assert.deepEqual([read.generation ?? 2, read.name, argumentsIn(read)], [generation, name, args]);
      assert.deepEqual(read.pairs, generation === 1 ? given : undefined);
    }
  }
});
