import type { FileHandle } from "node:fs/promises";
import type { Socket } from "node:net";
import { bytesOf } from "../message/bytes.ts";
import { failure } from "../message/failure.ts";
import type { Handover, Attached, AttachedKind, Passed, Way } from "../message/attached.ts";
import { createStream } from "../stream/stream-pair.ts";
import { closeDescriptor, duplicateOf } from "../transport/descriptors/endpoints.ts";
import { handleOf } from "../transport/socket-reads.ts";
import type { OpenFile } from "./open-file.ts";
import { Attachment } from "./stream/attachment.ts";
import { Port } from "./stream/port.ts";
import { drain, pump } from "./stream/pumps.ts";
import { nodeSource, nodeTarget } from "./stream/stream-sources.ts";

/** What can be attached. */
export type OfferedThing =
  | { readonly kind: "socket"; readonly object: Socket }
  | { readonly kind: "file"; readonly object: FileHandle | OpenFile };

/** Something of this process that is attached, until it is taken. */
export class OfferedObject implements Attached {
  readonly kind: AttachedKind;
  readonly fallback: boolean;
  readonly #thing: OfferedThing;
  #port: Port | undefined;
  /** It has another owner now. */
  #isGone = false;

  private constructor(thing: OfferedThing, fallback: boolean) {
    this.kind = thing.kind;
    this.fallback = fallback;
    this.#thing = thing;
  }

  static attach(thing: OfferedThing, fallback: boolean): Attachment {
    const offered = new OfferedObject(thing, fallback);
    const shape = { receives: true, sends: thing.kind === "socket", messages: false };
    const [far, near] = createStream(shape, offered);
    const port = new Port(near);
    offered.#port = port;
    port.closed.catch(() => {
      if (!offered.#isGone) close(thing);
    });
    if (thing.kind === "socket") {
      stopReading(thing.object);
      thing.object.on("error", ignore); // it has no other listener any longer
    }
    return new Attachment(far, offered);
  }

  take(way: Way, then: (handover: Handover) => void): void {
    const thing = this.#thing;
    if (way === "object") {
      this.#isGone = true;
      if (thing.kind === "socket") {
        thing.object.off("error", ignore);
        startReading(thing.object);
      }
      then({ way, object: thing.object });
    } else if (way === "descriptor") {
      this.#settle(() => this.#pass(then));
    } else {
      this.#flow(then, "descriptors cannot be passed all the way to its receiver");
    }
  }

  /** It is connected first, and what was written before it was attached has left. */
  #settle(then: () => void): void {
    const thing = this.#thing;
    if (thing.kind === "file") return then();
    if (thing.object.connecting) thing.object.once("connect", () => this.#settle(then));
    else if (thing.object.writableLength === 0) return then();
    else thing.object.write("", () => then()); // when it fails the socket is destroyed
    return undefined;
  }

  #pass(then: (handover: Handover) => void): void {
    const thing = this.#thing;
    const obstacle = thing.kind === "socket" ? obstacleOf(thing.object) : undefined;
    if (obstacle !== undefined) return this.#flow(then, obstacle);
    let passed: Passed;
    try {
      const descriptor = duplicateOf(thing.kind === "socket" ? thing.object : thing.object.fd);
      passed = { way: "descriptor", descriptor, close: () => closeDescriptor(descriptor) };
    } catch (error) {
      const text = `it is closed, or this process has too many descriptors open: ${String(error)}`;
      return this.#port!.abort(failure("SOURCE_FAILED", text));
    }
    this.#isGone = true;
    close(thing);
    return then(passed);
  }

  /** Its bytes, if they may. */
  #flow(then: (handover: Handover) => void, obstacle: string): void {
    const port = this.#port!;
    if (!this.fallback) return port.abort(failure("DESCRIPTORS_UNSUPPORTED", obstacle));
    then({ way: "bytes" });
    const thing = this.#thing;
    const source = thing.kind === "socket" ? thing.object : thing.object.createReadStream();
    if (thing.kind === "socket") {
      thing.object.allowHalfOpen = true; // each way ends by itself
      startReading(thing.object);
      void drain(port, nodeTarget(thing.object));
    }
    void pump(nodeSource(source), port, { report: ignore }, async (chunk) => port.write(bytesOf(chunk)));
  }
}

/** Why a socket's descriptor would not be all of it. */
function obstacleOf(socket: Socket): string | undefined {
  if ("encrypted" in socket) return "the socket is encrypted in this process";
  if (socket.readableLength > 0) return "bytes of the socket have been read by this process";
  return undefined;
}

/** What a socket fails of shows at its end. */
function ignore(): void {
  // and there are others to tell
}

function close(thing: OfferedThing): void {
  if (thing.kind === "socket") thing.object.destroy();
  else thing.object.close().catch(() => undefined); // it was closed before
}

/** Node begins to read a socket by itself, and what was read cannot be passed on. */
function stopReading(socket: Socket): void {
  const handle = handleOf(socket);
  if (handle === null) return;
  handle.reading = false;
  handle.readStop();
}

function startReading(socket: Socket): void {
  const handle = handleOf(socket);
  if (handle === null) return;
  handle.reading = true;
  handle.readStart();
}
