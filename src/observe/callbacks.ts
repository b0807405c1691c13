/** Callbacks for one kind of event each, which are older than observers, as an observer. */
import type { Failure } from "../message/failure.ts";
import type { Observer } from "./observer.ts";

export interface Callbacks {
  /**
   * Called when a session of the native protocol has begun or is over; for logs. It begins with its connection, before its
   * peer is let in.
   */
  readonly onSession?: (event: "opened" | "closed", remote: string, why?: Failure) => void;
  /**
   * Called when a session serves a pattern, and when it does so no longer; `remote` is the session's, which for a unix
   * socket is the URL it came to.
   */
  readonly onService?: (event: "serving" | "left", pattern: string, remote: string) => void;
  /**
   * Called each time a worker over HTTP asks for jobs of a subject ("polled"), and when none has been heard of for
   * `jobs.lingerMs` ("left", unless the subject is in `jobs.services`).
   */
  readonly onPoll?: (event: "polled" | "left", subject: string) => void;
}

/** The gateway whose sessions the callbacks are about. */
const SESSIONS = "native";

export function observerOf({ onSession, onService, onPoll }: Callbacks): Observer {
  const observer: Observer = {};
  if (onSession !== undefined)
    observer.session = ({ event, remote = "", why }) => {
      if (why === undefined) onSession(event, remote);
      else onSession(event, remote, why);
    };
  if (onService !== undefined)
    observer.registration = ({ event, kind, gateway, pattern, remote = "" }) => {
      if (kind === "service" && gateway === SESSIONS)
        onService(event === "added" ? "serving" : "left", pattern, remote);
    };
  if (onPoll !== undefined) observer.poll = ({ event, subject }) => onPoll(event, subject);
  return observer;
}
