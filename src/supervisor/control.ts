/**
 * How commands talk to a running `lintel up`: by requests to a hub of its own, on a private socket, that no service and
 * no HTTP caller reaches.
 */
import { chmod } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { createHub } from "../hub/hub.ts";
import { LintelError } from "../message/failure.ts";
import type { InstanceStatus } from "./instance.ts";
import type { LogLine, LogRing } from "./log-ring.ts";
import type { Supervisor } from "./supervisor.ts";

/** What is under way has so long to end when no more orders are taken. Milliseconds. */
const CLOSING_MS = 2_000;

/** What `logs` streams: lines, and how many were gone before they could be read. */
export type LogItem = LogLine | { readonly missed: number };

/** Subjects of the control hub. */
export const Control = {
  /** No value; answers with a `ControlStatus`. */
  status: "up.status",
  /** `{ name, last?, follow? }`; answers with a stream of `LogItem`, which ends, when followed, with `lintel up`. */
  logs: "up.logs",
  /** `{ name }`; answers when every instance has settled, with the status of the service. */
  restart: "up.restart",
  /** `{ name, count }`; answers when there are so many, with the status of the service. */
  scale: "up.scale",
} as const;

export interface ControlStatus {
  readonly pid: number;
  readonly httpUrl: string | null;
  readonly instances: readonly InstanceStatus[];
}

/** What takes orders. */
export interface ControlListener {
  /** Sends the last lines to the followers of logs, and ends. */
  close(): Promise<void>;
}

interface Order {
  readonly name?: unknown;
  readonly count?: unknown;
  readonly last?: unknown;
  readonly follow?: unknown;
}

/** Takes orders on this URL, of a unix socket in a private directory. */
export async function openControl(
  url: string,
  supervisor: Supervisor,
  httpUrl: string | undefined,
): Promise<ControlListener> {
  const hub = await createHub({ http: false, listen: [url], name: "lintel up" });
  const over = new AbortController();
  await chmod(url.slice("unix://".length), 0o600);
  await hub.serve(Control.status, (): ControlStatus => {
    return { pid: process.pid, httpUrl: httpUrl ?? null, instances: supervisor.status };
  });
  await hub.serve<Order>(Control.restart, async (order) => {
    const service = supervisor.service(nameIn(order));
    await service.restart();
    return service.status;
  });
  await hub.serve<Order>(Control.scale, async (order) => {
    const name = nameIn(order);
    await supervisor.scale(name, Number(order.count));
    return supervisor.service(name).status;
  });
  await hub.serve<Order>(Control.logs, (order, { signal }) => {
    const { log } = supervisor.service(nameIn(order));
    const last = typeof order.last === "number" && order.last >= 0 ? order.last : Number.POSITIVE_INFINITY;
    return readLog(log, last, order.follow === true ? AbortSignal.any([signal, over.signal]) : undefined);
  });
  const close = async (): Promise<void> => {
    over.abort();
    const drained = new AbortController();
    const late = pause(CLOSING_MS, undefined, { signal: drained.signal }).catch(() => undefined);
    await Promise.race([hub.drain(), late]);
    drained.abort();
    await hub.close();
  };
  return { close };
}

/** The last lines as they are now, and then, if they are followed, those that come until the signal fires. */
async function* readLog(
  log: LogRing,
  last: number,
  followed: AbortSignal | undefined,
): AsyncGenerator<LogItem, void> {
  let wanted = log.next;
  yield* log.last(last);
  while (followed !== undefined) {
    const found = log.read(wanted);
    if (found === undefined) {
      if (followed.aborted) return;
      await log.until(wanted, followed);
      continue;
    }
    if (found.number > wanted) yield { missed: found.number - wanted };
    yield found.line;
    wanted = found.number + 1;
  }
}

function nameIn(order: Order | undefined): string {
  if (typeof order?.name === "string") return order.name;
  throw new LintelError("invalid_argument", "the command has no service name");
}
