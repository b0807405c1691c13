/** Calls that are made again when they fail, within one deadline. */
import { LintelError } from "../../message/failure.ts";
import { millisecondsOf } from "../../message/options.ts";
import { backoffMs, type BackoffLimits } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { CommandException } from "../error.ts";
import type { CallOptions } from "../peer.ts";
import {
  checkRetries,
  type ClientCallOptions,
  type ClientSettings,
  type ClientTimes,
} from "./client-options.ts";

const BACKOFF: BackoffLimits = { firstMs: 100, lastMs: 2_000 };

/** The command may have been executed, but nothing came back. */
const LOST: ReadonlySet<string> = new Set(["CONNECTION_LOST", "WORKER_LOST"]);

/**
 * Makes a call, and makes it again after a failure that may pass: a crash, a lost connection, and what says of itself that it is
 * safe to repeat. Rejects with the last failure. `attempt` gets the options of each attempt, with the time that is left.
 */
export async function callRetrying(
  attempt: (options: CallOptions) => Promise<unknown>,
  options: ClientCallOptions,
  settings: ClientSettings,
  { clock, random }: ClientTimes,
): Promise<unknown> {
  const { signal } = options;
  const retries = checkRetries(options.retries ?? settings.retries);
  if (retries === 0) return attempt(options);
  const endsAt = clock.now() + millisecondsOf("call: timeout", options.timeout ?? settings.timeoutMs);
  for (let failures = 1; ; failures++) {
    try {
      return await attempt({ signal, timeout: Math.ceil(endsAt - clock.now()) });
    } catch (error) {
      const waitMs = Math.max(backoffMs(BACKOFF, failures, random), delayOf(error));
      const isLast = failures > retries || signal?.aborted === true || clock.now() + waitMs >= endsAt;
      if (isLast || !mayPass(error)) throw error;
      await pause(waitMs, clock, signal);
    }
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof CommandException) return true;
  return error instanceof LintelError && (error.retryable || LOST.has(error.reason));
}

function delayOf(error: unknown): number {
  return (error instanceof LintelError ? error.retryAfterMs : undefined) ?? 0;
}

/** Rejects as soon as the signal fires. */
function pause(ms: number, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clock.clear(timer);
      reject(signal?.reason as Error);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
