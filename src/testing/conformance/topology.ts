import type { Parties, Fixture } from "./fixture.ts";

/** What a topology can show. */
export interface TopologySupports {
  /** Something travels: caller and worker are not the same peer. */
  readonly travels: boolean;
  /** The caller has a connection of its own, which can be lost. */
  readonly callerDials: boolean;
  /** The worker has a connection of its own, which can be lost. */
  readonly workerDials: boolean;
  /** Two hubs stand in a row, with a connection between them. */
  readonly hubLink: boolean;
}

/** How a caller and a worker are connected. */
export interface Topology {
  readonly name: string;
  readonly supports: TopologySupports;
  readonly build: (fixture: Fixture) => Promise<Parties>;
}
