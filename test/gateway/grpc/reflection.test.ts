/** What tools such as grpcurl ask. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { openGateway, type Gateway } from "./harness.ts";
import { until } from "../../house/until.ts";
import { RawCall, framed } from "./raw-call.ts";

const PATH = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const request = (field: number, name: string): Uint8Array =>
  new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string("host")
    .tag(field, WireType.LengthDelimited)
    .string(name)
    .finish();

/** The fields of a message that are bytes, by their numbers. */
function fieldsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Uint8Array>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === WireType.LengthDelimited) fields.set(number, reader.bytes());
    else reader.skip(type);
  }
  return fields;
}

async function ask(
  harness: Gateway,
  path: string,
  ...asked: Uint8Array[]
): Promise<Map<number, Uint8Array>[]> {
  await using call = new RawCall(harness.gateway.url, { ":path": path }).listen();
  for (const one of asked) call.stream.write(framed(one));
  await until(() => call.messages.length === asked.length, "the answers");
  call.stream.end();
  assert.equal(await call.ended(), "0 undefined");
  return call.messages.map(fieldsOf);
}

test("the service, its file by name and by what is in it, and nothing else", async () => {
  await using harness = await openGateway();
  const asked = [
    request(7, ""),
    request(3, "lintel/v1/worker.proto"),
    request(4, "lintel.v1.Worker"),
    request(4, "lintel.v1.Worker.Work"),
    request(4, "lintel.v1.Job"),
    request(4, "lintel.v1.Nothing"),
    request(3, "google/protobuf/any.proto"),
    request(6, "lintel.v1.Job"),
  ];
  for (const path of [PATH, PATH.replace("v1", "v1alpha")]) {
    const [services, ...rest] = await ask(harness, path, ...asked);
    const service = fieldsOf(services!.get(6)!).get(1)!;
    assert.equal(Buffer.from(fieldsOf(service).get(1)!).toString(), "lintel.v1.Worker");
    for (const files of rest.slice(0, 4)) {
      const file = fromBinary(FileDescriptorProtoSchema, fieldsOf(files.get(4)!).get(1)!);
      assert.deepEqual([file.name, file.service[0]?.name], ["lintel/v1/worker.proto", "Worker"]);
    }
    for (const [index, none] of rest.slice(4).entries()) {
      assert.deepEqual([none.has(4), none.has(7)], [false, true]);
      assert.deepEqual(Buffer.from(asked[5 + index]!), none.get(2), "each answer has its question");
    }
  }
});

test("what is no request of reflection ends its call", async () => {
  await using harness = await openGateway();
  for (const [ending, bytes] of [
    ["3 BAD_FRAME", framed(new Uint8Array([0x22, 0x7f]))],
    ["8 TOO_LARGE", framed(new Uint8Array(5_000))],
  ] as const) {
    await using call = new RawCall(harness.gateway.url, { ":path": PATH }).listen();
    call.stream.write(bytes);
    assert.equal(await call.ended(), ending);
  }
});
