import type { Codec } from "./codec.ts";

/** A codec that is also what makes it: `await kv()` as with the others, and `kv` itself. */
export type CallableCodec = Codec & (() => Promise<Codec>);

export function callable(codec: Codec): CallableCodec {
  const make = (): Promise<Codec> => Promise.resolve(codec);
  return Object.defineProperties(make, Object.getOwnPropertyDescriptors(codec)) as CallableCodec; // it has both now
}
