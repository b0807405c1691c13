/** The byte vectors of the protocol (spec/README.md). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../house/root.ts";

export interface GoodFrame {
  readonly name: string;
  readonly type: string;
  readonly hex: string;
  /** What both ends must have announced. */
  readonly needs?: "streams" | "attachments" | "bypasses" | "enablement";
  /** Names of frames that come first. */
  readonly after?: readonly string[];
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface MalformedFrame {
  readonly name: string;
  readonly state: "greeting" | "open";
  readonly receiver: "acceptor" | "dialer";
  readonly needs?: GoodFrame["needs"];
  readonly hex: string;
  readonly after?: readonly string[];
  /** Reason in the CLOSE that answers. */
  readonly closes: string;
  /** The clause of docs/PROTOCOL.md that is broken. */
  readonly clause: string;
}

export interface TruncatedFrame {
  readonly name: string;
  readonly hex: string;
  /** Bytes a receiver holds. */
  readonly pending: number;
}

export interface Vectors {
  readonly protocol: number;
  readonly limits: Readonly<Record<string, number>>;
  readonly frames: readonly GoodFrame[];
  readonly malformed: readonly MalformedFrame[];
  readonly truncated: readonly TruncatedFrame[];
}

export const vectors = JSON.parse(
  readFileSync(join(root, "spec", "vectors", "frames.json"), "utf8"),
) as Vectors; // its shape is what the tests check

/** The frames that come before this one. */
export function earlier(vector: { readonly after?: readonly string[] }): GoodFrame[] {
  return (vector.after ?? []).map((name) => {
    const found = vectors.frames.find((frame) => frame.name === name);
    if (found === undefined) throw new Error(`there is no vector "${name}"`);
    return found;
  });
}

/** Their bytes. */
export function bytesBefore(vector: { readonly after?: readonly string[] }): Buffer {
  return Buffer.concat(earlier(vector).map(({ hex }) => Buffer.from(hex, "hex")));
}
