/** Sockets and files of Node in values. */
import { fstatSync, type Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { Socket } from "node:net";
import { Duplex, Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { LintelError } from "../message/failure.ts";
import type { AttachedKind } from "../message/attached.ts";
import { checkOptions } from "../message/options.ts";
import { OfferedObject, type OfferedThing } from "./offered-object.ts";
import { PassedFile, type OpenFile } from "./open-file.ts";
import type { Attachment } from "./stream/attachment.ts";
import type { AttachedObjects } from "./stream/values.ts";

export interface AttachmentOptions {
  /**
   * Where the descriptor cannot be passed, the bytes are sent instead: a socket's both ways, a file's from where it stands
   * to its end. Default: `DESCRIPTORS_UNSUPPORTED`.
   */
  readonly fallback?: "stream";
}

/**
 * A socket or an open file, to be put into a value: you give it away to the receiver of the value, which takes it. In this
 * process that is the object itself. Over unix sockets the descriptor is passed, and the sender's object closed. Elsewhere
 * the bytes are sent, if `fallback` allows it. When the message fails it is closed, and so it is when whoever
 * receives it discards it.
 *
 * A number is a descriptor that nothing else here uses. A socket must not have been read from before: attach it where it is
 * accepted. Throws `invalid_argument` for anything else.
 */
export function attachment(
  object: Socket | FileHandle | number,
  options: AttachmentOptions = {},
): Attachment {
  checkOptions("attachment", options, {});
  const { fallback } = options;
  if (fallback !== undefined && fallback !== "stream")
    throw new LintelError("invalid_argument", `fallback is ${String(fallback)}, it can only be "stream"`);
  return OfferedObject.attach(thingOf(object), fallback === "stream");
}

/** What a Node peer makes of what arrives. */
export const nodeObjects: AttachedObjects = {
  ofDescriptor(kind, passed) {
    try {
      return kindOf(passed.descriptor) === kind ? objectOf(kind, passed.descriptor) : refuse(kind);
    } catch (error) {
      passed.close();
      throw error;
    }
  },
  ofStream(_kind, stream) {
    if ("writable" in stream) return Duplex.fromWeb(stream);
    return Readable.fromWeb(stream as NodeReadableStream);
  },
};

function thingOf(object: Socket | FileHandle | number): OfferedThing {
  if (object instanceof Socket) return { kind: "socket", object };
  const isNumber = typeof object === "number";
  const fd: unknown = isNumber ? object : (object as { fd?: unknown } | undefined)?.fd;
  const kind = typeof fd === "number" && fd >= 0 ? kindOf(fd) : undefined;
  if (kind === "file") return { kind, object: isNumber ? new PassedFile(object) : object };
  if (kind === "socket" && isNumber) return { kind, object: socketOf(object) };
  throw new LintelError(
    "invalid_argument",
    "only a socket, a file handle or a descriptor of one can be attached",
  );
}

/** What is behind a descriptor: undefined for what can be read by no means that we have. */
function kindOf(fd: number): AttachedKind | undefined {
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch (error) {
    throw new LintelError("invalid_argument", `${fd} is not an open descriptor`, { cause: error });
  }
  if (stats.isFile()) return "file";
  return stats.isSocket() || stats.isFIFO() ? "socket" : undefined;
}

function refuse(kind: AttachedKind): never {
  throw LintelError.of("BAD_FRAME", `the passed descriptor is not a ${kind}`);
}

function objectOf(kind: AttachedKind, fd: number): Socket | OpenFile {
  return kind === "file" ? new PassedFile(fd) : socketOf(fd);
}

/** It reads nothing until its data is wanted, so that it can be passed on. */
function socketOf(fd: number): Socket {
  const options = { fd, readable: true, writable: true, manualStart: true };
  return new Socket(options);
}
