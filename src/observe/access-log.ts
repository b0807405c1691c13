/** The lines of the access log: one for each decision that was refused, and for each act of administration. */
import type { Identity, Origin } from "../message/origin.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Observer } from "./observer.ts";

/** Lines of refusals a second: of those that are known, and as many of those that are not. More are counted, and not written. */
const LINES_PER_SECOND = 100;
const WINDOW_MS = 1_000;
/** Characters of a text that others have chosen: more would be room for a flood. */
const MAX_TEXT = 256;
/** Characters that JSON leaves as they are, and that a terminal or a reader of lines may take for something else. */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

export interface AccessLogOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly timeOfDay: () => number;
  /** Takes a line, with its end. */
  readonly write: (line: string) => void;
}

/** An observer that writes lines. */
export class AccessLog implements Observer {
  readonly #options: AccessLogOptions;
  readonly #known: Window;
  readonly #strangers: Window;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    const window = (of: string): Window =>
      new Window(options.clock, (refusals) => this.#write({ event: "suppressed", of, refusals }));
    this.#known = window("principals");
    this.#strangers = window("strangers"); // a flood of theirs hides nothing of the others
  }

  readonly refused: Required<Observer>["refused"] = ({ verb, subject, code, reason, ...origin }) => {
    const window = origin.principal === undefined ? this.#strangers : this.#known;
    if (window.hasRoom()) this.#write({ event: "refused", verb, subject, ...from(origin), code, reason });
  };

  readonly administered: Required<Observer>["administered"] = ({ action, name, verb, ...origin }) =>
    this.#write({ event: "admin", action, name, verb, ...from(origin) });

  /** Writes how many lines are missing since the last time this was written. */
  close(): void {
    this.#known.close();
    this.#strangers.close();
  }

  #write(fields: Readonly<Record<string, unknown>>): void {
    const time = new Date(this.#options.timeOfDay()).toISOString();
    const line = JSON.stringify({ time, ...fields }, (_name, value: unknown) =>
      typeof value === "string" && value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value,
    );
    this.#options.write(`${line.replace(UNSAFE, escaped)}\n`);
  }
}

/** So many lines a second, and a count of the others. */
class Window {
  readonly #clock: Clock;
  readonly #tell: (suppressed: number) => void;
  #since = -Infinity;
  #lines = 0;
  #suppressed = 0;
  /** Runs while there is something to tell. */
  #timer: unknown;

  constructor(clock: Clock, tell: (suppressed: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  hasRoom(): boolean {
    const now = this.#clock.now();
    if (now - this.#since >= WINDOW_MS) {
      this.#tellSuppressed();
      this.#since = now;
      this.#lines = 0;
    }
    if (++this.#lines <= LINES_PER_SECOND) return true;
    if (this.#suppressed++ === 0)
      this.#timer = this.#clock.after(this.#since + WINDOW_MS - now, () => this.#tellSuppressed());
    return false;
  }

  close(): void {
    this.#tellSuppressed();
  }

  #tellSuppressed(): void {
    if (this.#suppressed === 0) return;
    this.#clock.clear(this.#timer);
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    this.#tell(suppressed);
  }
}

/** Who and where, and nothing else that a principal may have as an object. */
function from({ gateway, remote, principal }: Origin): Record<string, string | undefined> {
  const { id, tenant, role }: Partial<Identity> = principal ?? {};
  return { principal: id, tenant, role, gateway, address: remote };
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
