/** The hub never decodes a payload: bytes that no codec reads pass through it unchanged. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eisenRequest, eisenResponse, kv, msgpack, protobuf, xml } from "../../src/codec/index.ts";
import { json } from "../../src/codec/json.ts";
import { RemoteEngine } from "../../src/engine/remote/remote-engine.ts";
import { createHub } from "../../src/hub/hub.ts";
import type { Registration, Route } from "../../src/message/delivery.ts";
import type { Failure } from "../../src/message/failure.ts";
import { Format, Message } from "../../src/message/message.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { StructSchema } from "@bufbuild/protobuf/wkt";

const CODECS = [
  json,
  kv,
  eisenRequest,
  eisenResponse,
  await msgpack(),
  await xml(),
  await protobuf(StructSchema),
];
const TYPES = [
  ...CODECS.flatMap(({ contentType, aliases = [] }) => [
    contentType,
    ...aliases.filter((type) => !type.startsWith("+")),
  ]),
  "application/problem+json",
  "text/plain; charset=utf-8",
  "application/x-www-form-urlencoded",
  "application/octet-stream",
];
/** Neither UTF-8 nor anything else; what a codec would make of it is not what it was. */
const PAYLOADS = [
  Buffer.of(0xff, 0xfe, 0x00, 0xc1, 0x80),
  Buffer.from('{"a":1,}\r\n<!DOCTYPE a [\u0000'),
  Buffer.from(`${"[".repeat(5_000)}\ud800`),
  Buffer.from(Array.from({ length: 256 }, (_, index) => index)),
];

/** Answers with the payload and the content type it got, reading neither. */
class Mirror {
  registration: Registration | undefined;

  execute(job: number, _route: Route, request: Message): void {
    const head = `content-type:${request.headers.get("content-type")}\n`;
    this.registration!.reply(job, Message.ofBytes(Buffer.from(request.payload()), head, Format.typed));
  }

  cancel(): void {}
}

async function connected(url: string): Promise<RemoteEngine> {
  const engine = new RemoteEngine(await new TransportRegistry().for(url), url);
  await engine.connected();
  return engine;
}

async function serveMirror(url: string): Promise<RemoteEngine> {
  const engine = await connected(url);
  const mirror = new Mirror();
  mirror.registration = engine.serve("mirror", mirror, {});
  await mirror.registration.ready;
  return engine;
}

function roundTrip(
  engine: RemoteEngine,
  type: string,
  payload: Uint8Array,
): Promise<[string | undefined, Buffer]> {
  return new Promise((resolve, reject) => {
    const message = Message.ofBytes(payload, `content-type:${type}\n`, Format.typed);
    const sink = {
      answered: (_tag: number, answer: Message) =>
        resolve([answer.headers.get("content-type"), Buffer.from(answer.payload())]),
      failed: (_tag: number, why: Failure) => reject(new Error(`${why.reason}: ${why.message}`)),
    };
    engine.request(engine.route("mirror"), message, 5_000, sink, 0);
  });
}

describe("payloads that nobody can read", () => {
  it("come back unchanged from a worker over tcp, through a hub that knows every codec", async () => {
    await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], codecs: CODECS });
    const worker = await serveMirror(hub.urls[0]!);
    const caller = await connected(hub.urls[0]!);
    for (const type of TYPES) {
      for (const payload of PAYLOADS) {
        const [arrivedType, arrived] = await roundTrip(caller, type, payload);
        assert.equal(arrivedType, type);
        assert.ok(arrived.equals(payload), type);
      }
    }
    await caller.close();
    await worker.close();
  });

  it("come back unchanged to an HTTP caller", async () => {
    const http = { host: "127.0.0.1", port: 0 };
    await using hub = await createHub({ http, listen: ["tcp://127.0.0.1:0"], codecs: CODECS });
    const worker = await serveMirror(hub.urls[0]!);
    for (const type of TYPES) {
      for (const body of PAYLOADS) {
        const answer = await fetch(`${hub.httpUrl}/mirror`, {
          method: "POST",
          headers: { "content-type": type },
          body,
        });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("content-type"), type);
        assert.ok(Buffer.from(await answer.arrayBuffer()).equals(body), type);
      }
    }
    await worker.close();
  });
});
