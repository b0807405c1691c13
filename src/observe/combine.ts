/** Many observers as one that never throws. */
import type { Observer } from "./observer.ts";

type Method = keyof Observer;

/** Told what an observer has thrown, and by which of its methods. */
export type Report = (error: unknown, method: Method) => void;

/** All methods of an observer. The compiler wants every one of them here. */
const METHODS: Readonly<Record<Method, true>> = {
  settled: true,
  published: true,
  session: true,
  registration: true,
  dropped: true,
  lateReply: true,
  poll: true,
  refused: true,
  administered: true,
  httpRequest: true,
};

/** Says what is wrong with something that is given as an observer, in the words of `checkOptions`. */
export function anObserver(value: unknown): string | undefined {
  const wanted = "an object with functions such as { settled(request) {} }";
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null) return wanted;
  const observer = value as Record<string, unknown>; // any object may be indexed
  for (const method in METHODS) {
    const given = observer[method];
    if (given !== undefined && typeof given !== "function") return `${wanted}: ${method} is none`;
  }
  return undefined;
}

/**
 * One observer that calls all of these. It has the methods that any of them has, and undefined stands for one without any:
 * whoever has something to tell looks whether there is a method, and spends nothing where there is none.
 */
export function combineObservers(
  observers: readonly (Observer | undefined)[],
  report: Report,
): Observer | undefined {
  const given = observers.filter((observer) => observer !== undefined);
  const entries: [string, Tell][] = [];
  for (const method of Object.keys(METHODS) as Method[]) {
    const tells = given.flatMap((observer) => callOf(observer, method, report) ?? []);
    const [only] = tells;
    if (only === undefined) continue;
    const all: Tell = (first, second, third) => {
      for (const tell of tells) tell(first, second, third);
    };
    entries.push([method, tells.length === 1 ? only : all]);
  }
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Reports what each method throws for the first time: an observer that always throws would fill the log. */
export function reportFirst(report: Report): Report {
  const reported = new Set<Method>();
  return (error, method) => {
    if (reported.has(method)) return;
    reported.add(method);
    report(error, method);
  };
}

type Tell = (first: unknown, second: unknown, third: unknown) => void;

/** Calls one method of an observer; undefined where it has none. */
function callOf(observer: Observer, method: Method, report: Report): Tell | undefined {
  const given = observer[method];
  if (given === undefined) return undefined;
  const call = (given as (...values: unknown[]) => unknown).bind(observer); // passed on as they were given
  return (first, second, third) => {
    try {
      const result = call(first, second, third);
      if (result instanceof Promise) result.catch((error: unknown) => report(error, method));
    } catch (error) {
      report(error, method);
    }
  };
}
