/** Who is told of what happens in a hub: the callbacks and the observer of its options, and its access log. */
import { observerOf, type Callbacks } from "../observe/callbacks.ts";
import { combineObservers, reportFirst } from "../observe/combine.ts";
import type { Observer } from "../observe/observer.ts";

interface ObserverOptions extends Callbacks {
  readonly observer?: Observer;
  readonly accessLog?: string;
}

/** The observer of a hub, and what ends it. */
export interface HubObserver {
  readonly observer: Observer | undefined;
  close(): Promise<void>;
}

export async function openObserver(
  { accessLog, observer, ...callbacks }: ObserverOptions,
  onError: (error: unknown, where: string) => void,
): Promise<HubObserver> {
  const written =
    accessLog === undefined || accessLog === "off"
      ? undefined
      : await (await import("./access-log-file.ts")).openAccessLog(accessLog, onError);
  return {
    observer: combineObservers(
      [observerOf(callbacks), observer, written?.log],
      reportFirst((error, method) => onError(error, `observer.${method}`)),
    ),
    close: () => written?.close() ?? Promise.resolve(),
  };
}
