/** A unix stream socket that carries descriptors beside its bytes. Node reads none of it: it would drop them. */
import { closeSync } from "node:fs";
import { constants } from "node:os";
import { LintelError } from "../../message/failure.ts";
import type { UnixPeer } from "../../message/peer-identity.ts";
import { libc, systemError, type Libc, type Watch } from "./libc.ts";
import { MAX_BYTES, MAX_DESCRIPTORS, incomingMessage, outgoingMessage } from "./socket-message.ts";

const { EAGAIN, EINTR } = constants.errno;
/** More descriptors of this user are under way than it may have open; not among Node's constants. */
const ETOOMANYREFS = 109;
const TOO_MANY_PAUSE_MS = 10;

/** Whether the other end is still there is asked this often once it sends nothing more: the loop does not tell. */
const PROBE_MS = 250;

/** Reads in one turn of the loop: others have theirs. */
const MAX_READS = 16;
/** How much may wait to be sent if the sender does not pause. Past either bound the socket is cut off. */
const MAX_WAITING_BYTES = 16_777_216;
const MAX_WAITING_DESCRIPTORS = 1_024;

export interface DescriptorSocketHandler {
  /**
   * Bytes have arrived; they are lent until the call returns. With them descriptors, which are the receiver's to close and
   * do not outlive an exec. Where in the bytes they belong the system does not say, only that their order is that in which
   * they were sent, and that they never come later than the first byte they were sent with.
   */
  data(bytes: Uint8Array, descriptors: readonly number[]): void;
  /**
   * The other end sends nothing more, and may still receive. Without this handler half a socket is useless: it is
   * over then. Otherwise it is over once both ends have ended, and soon after the other end has left for good.
   */
  ended?(): void;
  /** Everything that `send` kept has been handed to the system. */
  drained(): void;
  /** The socket is over, after `close`, `abort`, the other end's leaving or an error. Called once. */
  closed(error: Error | undefined): void;
}

export interface DescriptorSocket {
  /** The process at the other end; undefined when it cannot be told. */
  readonly peer: UnixPeer | undefined;
  /** Starts the flow of events. Called once; what arrives before waits in the system. */
  open(handler: DescriptorSocketHandler): void;
  /**
   * Sends bytes, and with the first of them up to 253 descriptors. The caller may use the buffer again, and close its own
   * descriptors, as soon as this returns: what could not be sent at once is kept as copies. False: nothing more should be
   * sent until `drained`; sending more than 16 MiB or 1,024 descriptors cuts it off with `SLOW_CONSUMER`. Nothing is sent
   * after the end. Throws a TypeError for descriptors without bytes, and a system error for what is no open
   * descriptor, or could not be kept; nothing is sent then.
   */
  send(bytes: Uint8Array, descriptors?: readonly number[]): boolean;
  /** Receives nothing until `resume`. */
  pause(): void;
  resume(): void;
  /** Sends what it kept, and nothing more; what the other end sends still arrives. */
  end(): void;
  /** Sends what it kept, then ends. Descriptors that have arrived and were not received are closed by the system. */
  close(): void;
  /** Ends at once. */
  abort(): void;
}

/** What waits to be sent. The descriptors are copies. */
interface Waiting {
  bytes: Uint8Array;
  descriptors: readonly number[];
}

const NONE: readonly number[] = [];
const NO_BYTES = new Uint8Array(0);

/**
 * State of a socket.
 *
 * | state   | meaning                                       | next          |
 * |---------|-----------------------------------------------|---------------|
 * | waiting | nobody listens yet                            | open, closing, over |
 * | open    | everything flows                              | closing, over |
 * | closing | `close` was called, and something still waits | over          |
 * | over    | the descriptor is closed                      |               |
 */
type State = "waiting" | "open" | "closing" | "over";

export class PolledSocket implements DescriptorSocket {
  readonly #libc: Libc = libc();
  readonly #fd: number;
  readonly #watch: Watch;
  #state: State = "waiting";
  #handler: DescriptorSocketHandler | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #waitingDescriptors = 0;
  #isPaused = false;
  /** The other end sends nothing more. */
  #hasEnded = false;
  /** What this end sends. */
  #output: "open" | "ending" | "ended" = "open";
  #probing: ReturnType<typeof setInterval> | undefined;
  /** Why it is over. */
  #error: Error | undefined;
  /** Sending again waits for others to receive what is under way, of which the system does not tell. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Takes a connected socket over: it closes it. */
  constructor(fd: number) {
    this.#fd = fd;
    this.#watch = this.#libc.watch(fd, (failed) => this.#ready(failed));
  }

  get peer(): UnixPeer | undefined {
    return this.#state === "over" ? undefined : this.#libc.peerOf(this.#fd);
  }

  open(handler: DescriptorSocketHandler): void {
    if (this.#handler !== undefined) throw new TypeError("this socket already has a listener");
    this.#handler = handler;
    if (this.#state === "over") this.#tell();
    if (this.#state === "waiting") this.#state = "open";
    this.#expect();
  }

  send(bytes: Uint8Array, descriptors: readonly number[] = NONE): boolean {
    if (descriptors.length > 0 && bytes.length === 0) throw new TypeError("descriptors travel with bytes");
    if (descriptors.length > MAX_DESCRIPTORS)
      throw new TypeError(`${MAX_DESCRIPTORS} descriptors can be sent at a time`);
    if (this.#state === "closing" || this.#state === "over" || this.#output !== "open") return true;
    if (this.#waiting.length > 0) return this.#keep(bytes, descriptors);
    const sent = this.#write(bytes, descriptors);
    if (sent === bytes.length) return true;
    return this.#keep(bytes.subarray(sent), sent === 0 ? descriptors : NONE);
  }

  pause(): void {
    this.#isPaused = true;
    this.#expect();
  }

  resume(): void {
    this.#isPaused = false;
    this.#expect();
  }

  end(): void {
    if (this.#output !== "open" || this.#state === "closing" || this.#state === "over") return;
    this.#output = "ending";
    if (this.#waiting.length === 0) this.#shutDown();
  }

  close(): void {
    if (this.#state === "over") return;
    if (this.#waiting.length === 0) return this.#over(undefined);
    this.#state = "closing";
    return this.#expect();
  }

  abort(): void {
    this.#over(undefined);
  }

  /** Hands bytes to the system. Returns how many it took. */
  #write(bytes: Uint8Array, descriptors: readonly number[]): number {
    let sent = 0;
    while (sent < bytes.length) {
      const rest = sent === 0 ? bytes : bytes.subarray(sent);
      const count = outgoingMessage().send(this.#fd, rest, sent === 0 ? descriptors : NONE);
      if (count > 0) {
        sent += count;
        continue;
      }
      const errno = this.#libc.errno();
      if (errno === EINTR) continue;
      if (errno === ETOOMANYREFS) this.#pauseSending();
      else if (errno === constants.errno.EBADF) throw systemError("sendmsg", errno); // one of the descriptors
      else if (errno !== EAGAIN) this.#over(systemError("sendmsg", errno));
      break;
    }
    return sent;
  }

  #keep(bytes: Uint8Array, descriptors: readonly number[]): boolean {
    if (this.#state === "over") return true;
    this.#waiting.push({ bytes: bytes.slice(), descriptors: this.#copies(descriptors) });
    this.#waitingBytes += bytes.length;
    this.#waitingDescriptors += descriptors.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES || this.#waitingDescriptors > MAX_WAITING_DESCRIPTORS)
      this.#over(LintelError.of("SLOW_CONSUMER"));
    this.#expect();
    return false;
  }

  #copies(descriptors: readonly number[]): readonly number[] {
    if (descriptors.length === 0) return NONE;
    const copies: number[] = [];
    for (const fd of descriptors) {
      const copy = this.#libc.duplicate(fd);
      if (copy < 0) {
        const error = systemError("dup");
        closeAll(copies);
        throw error;
      }
      copies.push(copy);
    }
    return copies;
  }

  #ready(failed: boolean): void {
    if (this.#waiting.length > 0) this.#flush();
    if (this.#state === "open" && !this.#isPaused && !this.#hasEnded)
      this.#read(failed ? Infinity : MAX_READS);
    if (failed) this.#over(new Error("the socket is in error"));
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const sent = this.#write(next.bytes, next.descriptors);
      if (this.#state === "over") return;
      this.#waitingBytes -= sent;
      if (sent > 0) this.#forget(next);
      if (sent < next.bytes.length) {
        next.bytes = next.bytes.subarray(sent);
        return;
      }
      this.#waiting.shift();
    }
    if (this.#state === "closing") return this.#over(undefined);
    if (this.#output === "ending") this.#shutDown();
    this.#expect();
    return this.#handler?.drained();
  }

  #shutDown(): void {
    this.#output = "ended";
    this.#libc.endSending(this.#fd);
    if (this.#hasEnded) this.#over(undefined);
  }

  /** Its descriptors are under way. */
  #forget(sent: Waiting): void {
    closeAll(sent.descriptors);
    this.#waitingDescriptors -= sent.descriptors.length;
    sent.descriptors = NONE;
  }

  #read(most: number): void {
    const message = incomingMessage();
    for (let turn = 0; turn < most; turn++) {
      const count = message.receive(this.#fd);
      if (count < 0) {
        const errno = this.#libc.errno();
        if (errno === EINTR) continue;
        if (errno !== EAGAIN) this.#over(systemError("recvmsg", errno));
        return;
      }
      const descriptors = message.descriptors();
      if (message.isTruncated) {
        closeAll(descriptors);
        this.#over(LintelError.of("TOO_MANY", "descriptors were lost: this process has too many open"));
        return;
      }
      if (count === 0) return this.#inputEnded();
      this.#handler!.data(message.bytes(count), descriptors);
      if (this.#state !== "open" || this.#isPaused) return;
      if (count < MAX_BYTES && descriptors.length === 0 && most === MAX_READS) return; // if there is more, it is told
    }
  }

  #inputEnded(): void {
    const handler = this.#handler!;
    if (handler.ended === undefined) return this.#over(undefined);
    this.#hasEnded = true;
    this.#expect();
    handler.ended();
    if (this.#output === "ended") return this.#over(undefined);
    if (this.#state !== "open") return undefined;
    this.#probing = setInterval(() => this.#probe(), PROBE_MS);
    return this.#probe();
  }

  /** Sending nothing fails once there is no receiver. */
  #probe(): void {
    if (outgoingMessage().send(this.#fd, NO_BYTES, NONE) >= 0) return;
    const errno = this.#libc.errno();
    if (errno !== EAGAIN && errno !== EINTR) this.#over(undefined);
  }

  /** Watches for what matters now. */
  #expect(): void {
    if (this.#state === "over") return;
    const readable = this.#state === "open" && !this.#isPaused && !this.#hasEnded;
    const writable = this.#waiting.length > 0 && this.#timer === undefined;
    this.#watch.start(readable, writable);
  }

  /** Too many descriptors are under way. */
  #pauseSending(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#expect();
    }, TOO_MANY_PAUSE_MS);
    this.#expect();
  }

  #over(error: Error | undefined): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#error = error;
    clearTimeout(this.#timer);
    clearInterval(this.#probing);
    this.#watch.close();
    closeSync(this.#fd);
    for (const { descriptors } of this.#waiting) closeAll(descriptors);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#waitingDescriptors = 0;
    if (this.#handler !== undefined) this.#tell();
  }

  /** Not now, because the code that ended it is in the middle of other work. */
  #tell(): void {
    const handler = this.#handler!;
    setImmediate(() => handler.closed(this.#error));
  }
}

function closeAll(descriptors: readonly number[]): void {
  for (const fd of descriptors) closeSync(fd);
}
