import type { Codec } from "../../codec/codec.ts";
import type { Limits } from "../../message/limits.ts";
import type { CodecEntry, Note, TransportEntry } from "./entries.ts";
import type { Parties } from "./fixture.ts";
import type { Topology } from "./topology.ts";

/** One square of the matrix. */
export interface Cell {
  readonly transport: TransportEntry;
  readonly topology: Topology;
  readonly codec: CodecEntry;
}

/** What a case gets: two peers that can talk, and values to say. */
export interface Harness extends Parties {
  readonly codec: Codec;
  /** Errors that were reported to `onError` since the case began. */
  readonly errors: readonly unknown[];
  /** A subject that no other case on this harness uses. */
  readonly subject: (name: string) => string;
  /** A value of the codec that carries a number, and a text if given. */
  readonly write: (n: number, text?: string) => unknown;
  readonly read: (value: unknown) => Note;
}

/** Something a case asks of its cell. */
export interface Need {
  /** Why the cell does not have it; undefined when it has. */
  readonly lack: (cell: Cell) => string | undefined;
}

export interface Case {
  readonly name: string;
  readonly needs: readonly Need[];
  /** It ends, cuts or counts what others use: it gets a harness of its own. */
  readonly alone?: boolean;
  /** Of the hubs of that harness, where they are not the default. */
  readonly limits?: Partial<Limits>;
  readonly run: (harness: Harness) => Promise<void>;
}

/** Why a case cannot run in a cell; undefined when it can. */
export function lackOf({ needs }: Case, cell: Cell): string | undefined {
  for (const need of needs) {
    const lack = need.lack(cell);
    if (lack !== undefined) return lack;
  }
  return undefined;
}
