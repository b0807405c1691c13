import type { Sink } from "../message/delivery.ts";
import type { Message } from "../message/message.ts";
import type { Watched } from "../observe/request-watch.ts";
import type { Kept } from "./kept-requests.ts";
import type { Held, QueueGroup } from "./queue-group.ts";
import type { BrokerRoute } from "./routes.ts";
import type { Pending } from "../collections/deadline-table.ts";

/**
 * One request in flight. Where it is:
 *
 * | state   | meaning                       | next                                                      |
 * |---------|-------------------------------|-----------------------------------------------------------|
 * | queued  | waits for a free worker       | held, or ended: deadline, canceled, no worker left        |
 * | held    | a worker executes it          | ended: answered, failed, deadline, canceled, worker lost; |
 * |         |                               | queued again: released, or lost in a group that retries   |
 *
 * A row is `held` when it has a member and `queued` while it has none; ending one frees the row, so a second outcome
 * finds nothing.
 */
export interface InFlight extends Pending, Held, Watched {
  sink: Sink | undefined;
  tag: number;
  group: QueueGroup | undefined;
  route: BrokerRoute | undefined;
  /** Kept while queued; in a group that hands requests out again, also while held. */
  message: Message | undefined;
  /** What it has taken of the bytes that are kept: while queued, and while held where it is kept then. */
  kept: Kept | undefined;
  /** Times it has been handed to a worker. */
  attempt: number;
}

export function createInFlight(): InFlight {
  return {
    id: 0,
    deadline: 0,
    sink: undefined,
    tag: 0,
    group: undefined,
    member: undefined,
    route: undefined,
    message: undefined,
    kept: undefined,
    attempt: 0,
    aside: false,
    previous: undefined,
    next: undefined,
    notes: undefined,
  };
}

export function fillInFlight(
  row: InFlight,
  sink: Sink,
  tag: number,
  group: QueueGroup,
  route: BrokerRoute,
  kept: Kept | undefined,
  attempt: number,
): void {
  row.sink = sink;
  row.tag = tag;
  row.group = group;
  row.route = route;
  row.kept = kept;
  row.message = kept?.message;
  row.attempt = attempt;
}

/** Lets go of what the row refers to. Its member has been taken from already, and what it has kept is released. */
export function clearInFlight(row: InFlight): void {
  row.sink = undefined;
  row.group = undefined;
  row.message = undefined;
  row.route = undefined;
}
