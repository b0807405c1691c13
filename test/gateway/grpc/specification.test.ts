/** spec/lintel/v1/worker.proto, and what is made of it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { clearField, clone, fromBinary, toJson } from "@bufbuild/protobuf";
import {
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { file_lintel_v1_worker as generated } from "../../../src/gateway/grpc/generated/lintel/v1/worker_pb.ts";
import { findProgram, pathOf } from "../../house/provide.ts";
import { root } from "../../house/root.ts";

const text = readFileSync(join(root, "spec/lintel/v1/worker.proto"), "utf8");

/** Without the names of fields in JSON, which one program writes down and another works out. */
function shapeOf(file: FileDescriptorProto): unknown {
  const copy = clone(FileDescriptorProtoSchema, file);
  for (const { field } of copy.messageType)
    for (const one of field) clearField(one, FieldDescriptorProtoSchema.field.jsonName);
  return toJson(FileDescriptorProtoSchema, copy);
}

test("the generated code is that of the file (npm run generate:grpc)", () => {
  const folder = mkdtempSync(join(tmpdir(), "lintel-descriptor-"));
  try {
    const file = join(folder, "worker.binpb");
    const protoc = findProgram("protoc") ?? pathOf("protoc");
    execFileSync(protoc, [
      "-I",
      join(root, "spec"),
      `--descriptor_set_out=${file}`,
      "lintel/v1/worker.proto",
    ]);
    const set = fromBinary(FileDescriptorSetSchema, readFileSync(file));
    assert.deepEqual(shapeOf(generated.proto), shapeOf(set.file[0]!));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Rules that the files of a folder cite. */
function citedIn(folder: string, ending: string): Set<number> {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  const texts = names
    .filter((name) => name.endsWith(ending) && !name.endsWith("_pb.ts"))
    .map((name) => readFileSync(join(root, folder, name), "utf8"));
  return new Set([...texts.join("\n").matchAll(/\bW-(\d+)\b/g)].map(([, number]) => Number(number)));
}

test("rules are numbered once and in order, exist where they are cited, and each is cited by a test", () => {
  const numbers = [...text.matchAll(/^ *\/\/ W-(\d+) /gm)].map(([, number]) => Number(number));
  assert.ok(numbers.length > 20);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((one, other) => one - other),
  );
  const tested = citedIn("test/gateway/grpc", ".test.ts");
  for (const number of [...tested, ...citedIn("src/gateway/grpc", ".ts")])
    assert.ok(numbers.includes(number), `W-${number}`);
  assert.deepEqual(
    numbers.filter((number) => !tested.has(number)),
    [],
  );
});
