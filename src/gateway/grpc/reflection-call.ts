/**
 * Server reflection (grpc.reflection.v1, and v1alpha, whose messages are the same): tools such as grpcurl ask what methods
 * there are and what their messages look like. Its few fields are read and written by number.
 */
import { toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { failure, type Failure } from "../../message/failure.ts";
import { CODES } from "../../message/status.ts";
import type { GrpcCall, GrpcCallEvents } from "./call.ts";
import { Worker, file_lintel_v1_worker as file } from "./generated/lintel/v1/worker_pb.ts";

/** Fields of ServerReflectionRequest. */
const ASKED = { fileByName: 3, fileOfSymbol: 4, listServices: 7 } as const;
/** Fields of ServerReflectionResponse. */
const TOLD = { originalRequest: 2, files: 4, services: 6, error: 7 } as const;
/** Longest request that is read, in bytes. */
export const MAX_REFLECTION_REQUEST = 4_096;

export class ReflectionCall implements GrpcCallEvents {
  readonly #call: GrpcCall;
  readonly #onOver: () => void;

  /** `onOver` is called once, when the call is closed. */
  constructor(call: GrpcCall, onOver: () => void) {
    this.#call = call;
    this.#onOver = onOver;
  }

  open(): void {
    this.#call.open(this);
  }

  end(why?: Failure): void {
    this.#call.end(why);
  }

  message(request: Uint8Array): void {
    try {
      this.#call.send(answerTo(request));
    } catch (error) {
      this.end(failure("BAD_FRAME", `not a ServerReflectionRequest: ${(error as Error).message}`));
    }
  }

  finished(): void {
    this.end();
  }

  failed(why: Failure): void {
    this.end(why);
  }

  drained(): void {
    // nothing waits here
  }

  closed(): void {
    this.#onOver();
  }
}

/** The response to a request. Throws for bytes that are none. */
function answerTo(request: Uint8Array): Uint8Array {
  const reader = new BinaryReader(request);
  const response = new BinaryWriter().tag(TOLD.originalRequest, WireType.LengthDelimited).bytes(request);
  let asked = 0;
  let name = "";
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited && field >= ASKED.fileByName) {
      asked = field;
      name = new TextDecoder().decode(reader.bytes());
    } else reader.skip(type, field);
  }
  if (asked === ASKED.listServices) {
    response.tag(TOLD.services, WireType.LengthDelimited).fork();
    response.tag(1, WireType.LengthDelimited).fork();
    response.tag(1, WireType.LengthDelimited).string(Worker.typeName).join().join();
  } else if (isKnown(asked, name)) {
    response.tag(TOLD.files, WireType.LengthDelimited).fork();
    const bytes = toBinary(FileDescriptorProtoSchema, file.proto);
    response.tag(1, WireType.LengthDelimited).bytes(bytes).join();
  } else {
    response.tag(TOLD.error, WireType.LengthDelimited).fork();
    response.tag(1, WireType.Varint).int32(CODES.not_found.wire);
    response.tag(2, WireType.LengthDelimited).string(`there is no ${name}`).join();
  }
  return response.finish();
}

function isKnown(asked: number, name: string): boolean {
  if (asked === ASKED.fileByName) return name === file.proto.name;
  if (asked !== ASKED.fileOfSymbol) return false;
  const { typeName, methods } = Worker;
  return (
    name === typeName ||
    methods.some((method) => name === `${typeName}.${method.name}`) ||
    file.messages.some((message) => name === message.typeName)
  );
}
