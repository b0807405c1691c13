/** Which hosts may get an action, and which of them gets it next. Knows no connections. */
import { LintelError } from "../../message/failure.ts";
import { shown } from "../../message/options.ts";
import { actionMatcher } from "./action-pattern.ts";

/** Actions and the hosts that handle them. */
export interface HostRule {
  /** A pattern or several: `orders.create`, `orders.*`, `orders.>`, or `>` for all. */
  readonly actions: string | readonly string[];
  /** URLs, as for `connectCommands`. Calls are spread over those that are connected. */
  readonly hosts: string | readonly string[];
}

/** What a host looks like to the rules. */
export interface Host {
  /** False for one that is down. */
  readonly isUp: boolean;
  /** Calls that it has not answered. */
  readonly pendingCalls: number;
}

interface CompiledRule<H extends Host> {
  readonly isFor: readonly ((action: string) => boolean)[];
  readonly hosts: readonly H[];
  /** Where the search for a host begins, so that equally busy hosts take turns. */
  next: number;
}

const MAX_RULES = 1_000;

/** Picks a host for each action. The first rule with a pattern for the action counts. */
export class HostRules<H extends Host> {
  readonly #rules: readonly CompiledRule<H>[];

  /** `open` gives the host of a URL; it is called once for each URL. Throws `invalid_argument` for wrong rules. */
  constructor(rules: readonly HostRule[], open: (url: string) => H) {
    const known = new Map<string, H>();
    const hostOf = (url: string): H => {
      const host = known.get(url) ?? open(url);
      known.set(url, host);
      return host;
    };
    checkRules(rules);
    const matchers = rules.map(({ actions }) => listOf(actions).map(actionMatcher));
    this.#rules = rules.map(({ hosts }, index) => {
      const unique = new Set(listOf(hosts));
      return { isFor: matchers[index]!, hosts: [...unique].map(hostOf), next: 0 };
    });
  }

  /** True when each rule has a host that is up. */
  get areServed(): boolean {
    return this.#rules.every(({ hosts }) => hosts.some(({ isUp }) => isUp));
  }

  /**
   * The host with the fewest calls under way among those that are up. `avoid` is used only when there is no other. Throws
   * `NO_RESPONDERS` when no rule is for the action, and `NOT_CONNECTED` when all of its hosts are down.
   */
  pick(action: string, avoid?: H): H {
    const rule = this.#rules.find(({ isFor }) => isFor.some((matches) => matches(action)));
    if (rule === undefined)
      throw LintelError.of("NO_RESPONDERS", `no rule of the router is for the action ${shown(action)}`);
    const best = leastBusy(rule, avoid);
    if (best !== undefined) return best;
    if (avoid?.isUp === true && rule.hosts.includes(avoid)) return avoid;
    const count = rule.hosts.length;
    throw LintelError.of(
      "NOT_CONNECTED",
      `${count === 1 ? "the only host" : `all ${count} hosts`} for the action ${shown(action)} ${count === 1 ? "is" : "are"} down`,
    );
  }
}

function leastBusy<H extends Host>(rule: CompiledRule<H>, avoid: H | undefined): H | undefined {
  const { hosts, next } = rule;
  let best: number | undefined;
  for (let step = 0; step < hosts.length; step++) {
    const index = (next + step) % hosts.length;
    const host = hosts[index]!;
    if (!host.isUp || host === avoid) continue;
    if (best === undefined || host.pendingCalls < hosts[best]!.pendingCalls) best = index;
  }
  if (best === undefined) return undefined;
  rule.next = (best + 1) % hosts.length;
  return hosts[best];
}

function listOf(given: string | readonly string[]): readonly string[] {
  return typeof given === "string" ? [given] : given;
}

function checkRules(rules: readonly HostRule[]): void {
  if (!Array.isArray(rules) || rules.length === 0 || rules.length > MAX_RULES)
    throw wrongRule(`rules must be a list of 1 to ${MAX_RULES}`);
  for (const rule of rules as readonly Partial<HostRule>[]) {
    for (const name of ["actions", "hosts"] as const) {
      const given = rule[name];
      const items: unknown = typeof given === "string" ? [given] : given;
      const isRight =
        Array.isArray(items) && items.length > 0 && items.every((item) => typeof item === "string");
      if (!isRight) throw wrongRule(`${name} of a rule is ${shown(given)}, it must be one or more strings`);
    }
  }
}

function wrongRule(message: string): LintelError {
  return new LintelError("invalid_argument", `connectCommandRouter: ${message}`);
}
