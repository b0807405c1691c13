/** Messages as the system's sendmsg and recvmsg want them: bytes, and descriptors beside them. */
import {
  libc,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SCM_RIGHTS,
  SOL_SOCKET,
  type Libc,
} from "./libc.ts";

/** What one message carries: the most descriptors Linux lets through, and bytes. */
export const MAX_DESCRIPTORS = 253;
export const MAX_BYTES = 65_536;

// Where the parts lie in the memory: struct msghdr, one struct iovec, the control message, the bytes.
const VECTOR = 64;
const CONTROL = 128;
const RIGHTS = CONTROL + 16; // behind the header of the control message
const BYTES = 2_048;
// In struct msghdr and struct iovec.
const VECTORS_AT = 16;
const VECTOR_COUNT = 24;
const CONTROL_AT = 32;
const CONTROL_LENGTH = 40;
const FLAGS = 48;
const VECTOR_LENGTH = VECTOR + 8;

const CONTROL_HEADER = 16;
/** Room in front of the bytes for as many descriptors as can come. */
const CONTROL_ROOM = CONTROL_HEADER + MAX_DESCRIPTORS * 4 + 4;

/** Memory for one message. */
class SocketMessage {
  readonly #libc: Libc;
  readonly #address: bigint;
  readonly #view: DataView;
  readonly #memory: ArrayBuffer;

  constructor() {
    this.#libc = libc();
    const { address, memory } = this.#libc.allocate(BYTES + MAX_BYTES);
    this.#address = address;
    this.#memory = memory;
    this.#view = new DataView(memory);
    this.#set64(VECTORS_AT, address + BigInt(VECTOR));
    this.#set64(VECTOR_COUNT, 1n);
    this.#set64(VECTOR, address + BigInt(BYTES));
  }

  /** Sends up to `MAX_BYTES`, with the descriptors. Returns how many bytes were taken; -1 for none, and `errno` says why. */
  send(fd: number, bytes: Uint8Array, descriptors: readonly number[]): number {
    const length = Math.min(bytes.length, MAX_BYTES);
    new Uint8Array(this.#memory, BYTES, length).set(
      length === bytes.length ? bytes : bytes.subarray(0, length),
    );
    this.#set64(VECTOR_LENGTH, BigInt(length));
    this.#control(descriptors);
    return this.#libc.sendMessage(fd, this.#address, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /** Receives. Returns how many bytes came, 0 at the end; -1 for none, and `errno` says why. */
  receive(fd: number): number {
    this.#set64(VECTOR_LENGTH, BigInt(MAX_BYTES));
    this.#set64(CONTROL_AT, this.#address + BigInt(CONTROL));
    this.#set64(CONTROL_LENGTH, BigInt(CONTROL_ROOM));
    return this.#libc.receiveMessage(fd, this.#address, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  }

  /** The bytes that came. Others take their place. */
  bytes(length: number): Uint8Array {
    return new Uint8Array(this.#memory, BYTES, length);
  }

  /** The descriptors that came: they are open, and the caller's. */
  descriptors(): number[] {
    const view = this.#view;
    const end = CONTROL + Number(view.getBigUint64(CONTROL_LENGTH, true));
    const found: number[] = [];
    for (let at = CONTROL; at + CONTROL_HEADER <= end;) {
      const length = Number(view.getBigUint64(at, true));
      if (length < CONTROL_HEADER) break;
      const isRights =
        view.getInt32(at + 8, true) === SOL_SOCKET && view.getInt32(at + 12, true) === SCM_RIGHTS;
      if (isRights) {
        for (let one = at + CONTROL_HEADER; one + 4 <= Math.min(at + length, end); one += 4)
          found.push(view.getInt32(one, true));
      }
      at += Math.ceil(length / 8) * 8;
    }
    return found;
  }

  /** Some did not come, for want of room in this process: the system has closed those. */
  get isTruncated(): boolean {
    return (this.#view.getInt32(FLAGS, true) & MSG_CTRUNC) !== 0;
  }

  #control(descriptors: readonly number[]): void {
    const length = descriptors.length === 0 ? 0 : CONTROL_HEADER + descriptors.length * 4;
    this.#set64(CONTROL_AT, length === 0 ? 0n : this.#address + BigInt(CONTROL));
    this.#set64(CONTROL_LENGTH, BigInt(length));
    if (length === 0) return;
    this.#set64(CONTROL, BigInt(length));
    this.#view.setInt32(CONTROL + 8, SOL_SOCKET, true);
    this.#view.setInt32(CONTROL + 12, SCM_RIGHTS, true);
    descriptors.forEach((fd, index) => this.#view.setInt32(RIGHTS + index * 4, fd, true));
  }

  #set64(at: number, value: bigint): void {
    this.#view.setBigUint64(at, value, true);
  }
}

let outgoing: SocketMessage | undefined;
let incoming: SocketMessage | undefined;

/** Memory for what is sent: used within one call. */
export function outgoingMessage(): SocketMessage {
  outgoing ??= new SocketMessage();
  return outgoing;
}

/** Memory for what is received: good until the next is. */
export function incomingMessage(): SocketMessage {
  incoming ??= new SocketMessage();
  return incoming;
}
