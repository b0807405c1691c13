/** Chunks of streams of bytes: those that are bytes, and those that are not. */

function detached(): Uint8Array {
  const bytes = new Uint8Array(64);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function shared(text: string): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(text.length);
  new Uint8Array(memory).set(Buffer.from(text));
  return memory;
}

const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text));
const LONG = "long ".repeat(9_000);

/** With the text that they are. */
export const GOOD_CHUNKS: Readonly<Record<string, { readonly make: () => unknown; readonly text: string }>> =
  {
    "a text": { make: () => "some text", text: "some text" },
    "a text that is not ASCII": { make: () => "\u00fc", text: Buffer.from("\u00fc").toString("latin1") },
    "an empty text": { make: () => "", text: "" },
    "a long text": { make: () => LONG, text: LONG },
    "a Uint8Array": { make: () => bytes("abc"), text: "abc" },
    "an empty Uint8Array": { make: () => new Uint8Array(0), text: "" },
    "part of a Uint8Array": { make: () => bytes("0123456789").subarray(3, 6), text: "345" },
    "a Buffer": { make: () => Buffer.from("pooled"), text: "pooled" },
    "an ArrayBuffer": { make: () => bytes("abc").buffer, text: "abc" },
    "a DataView": { make: () => new DataView(bytes("0123456789").buffer, 2, 3), text: "234" },
    "a Uint16Array": { make: () => new Uint16Array(bytes("0123456789").buffer, 2, 3), text: "234567" },
    "a Uint8ClampedArray": { make: () => new Uint8ClampedArray(bytes("abc")), text: "abc" },
    "a SharedArrayBuffer": { make: () => shared("abc"), text: "abc" },
    "a view of shared memory": { make: () => new Uint8Array(shared("abcdef"), 1, 3), text: "bcd" },
  };

export const WRONG_CHUNKS: Readonly<Record<string, () => unknown>> = {
  "a number": () => 123_456,
  "a large number": () => 1e9,
  "a bigint": () => 10n,
  true: () => true,
  null: () => null,
  undefined: () => undefined,
  "an object": () => ({ length: 300, byteLength: 300 }),
  "an object like a view": () => ({
    length: 300,
    byteLength: 300,
    byteOffset: 0,
    buffer: new ArrayBuffer(300),
  }),
  "an array": () => [1, 2, 3],
  "a symbol": () => Symbol("chunk"),
  "a function": () => () => undefined,
  "memory that was given away": detached,
};

/** From now on memory that the platform does not clear has a secret in it. Returns what undoes that. */
export function dirtyMemory(): () => void {
  const allocUnsafe = Buffer.allocUnsafe.bind(Buffer);
  const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
  Buffer.allocUnsafe = (size) => allocUnsafe(size).fill("SECRET");
  Buffer.allocUnsafeSlow = (size) => allocUnsafeSlow(size).fill("SECRET");
  return () => Object.assign(Buffer, { allocUnsafe, allocUnsafeSlow });
}
