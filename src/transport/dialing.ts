import type { DialOptions } from "./transport.ts";

/**
 * An attempt to connect that is given up when it takes too long or its signal fires. `begin` starts it and returns what
 * gives it up; it is also called when the attempt has failed.
 */
export function attempt<T>(
  options: DialOptions,
  begin: (succeed: (value: T) => void, fail: (error: Error) => void) => () => void,
): Promise<T> {
  const { timeoutMs, signal } = options;
  if (signal?.aborted === true) return Promise.reject(new Error("dialing was aborted"));
  return new Promise((resolve, reject) => {
    let giveUp: () => void = () => undefined;
    let isSettled = false;
    const settle = (): boolean => {
      if (isSettled) return false;
      isSettled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      return true;
    };
    const fail = (error: Error): void => {
      if (!settle()) return;
      reject(error);
      giveUp();
    };
    const onAbort = (): void => fail(new Error("dialing was aborted"));
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => fail(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    giveUp = begin((value) => {
      if (settle()) resolve(value);
    }, fail);
  });
}
