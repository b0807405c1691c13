/** Text messages of a server as frames (RFC 6455, section 5.2): one frame each, and no mask. */

/** FIN and the opcode of a text message. */
const TEXT_MESSAGE = 0x81;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** Bytes before a payload of this length. */
export function headSize(length: number): number {
  if (length < LENGTH_16) return 2;
  return length < 65_536 ? 4 : 10;
}

/** Writes the head of a frame at an offset, and returns where the payload begins. */
export function writeHead(buffer: Buffer, at: number, length: number): number {
  buffer[at] = TEXT_MESSAGE;
  if (length < LENGTH_16) {
    buffer[at + 1] = length;
    return at + 2;
  }
  if (length < 65_536) {
    buffer[at + 1] = LENGTH_16;
    return buffer.writeUInt16BE(length, at + 2);
  }
  buffer[at + 1] = LENGTH_64;
  buffer.writeUInt32BE(0, at + 2); // no payload has 4 GiB
  return buffer.writeUInt32BE(length, at + 6);
}

/** A frame that any number of sockets may send. Bytes must be UTF-8. */
export function textFrame(text: string | Uint8Array): Uint8Array {
  const length = typeof text === "string" ? Buffer.byteLength(text) : text.length;
  const frame = Buffer.allocUnsafe(headSize(length) + length);
  writeText(frame, writeHead(frame, 0, length), text);
  return frame;
}

/** Writes a text at an offset. */
export function writeText(buffer: Buffer, at: number, text: string | Uint8Array): void {
  if (typeof text === "string") buffer.write(text, at, "utf8");
  else buffer.set(text, at);
}
