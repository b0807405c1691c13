/** What the connections of one tenant share, and those of others have no part in. */
import type { Engine } from "../../engine/engine.ts";
import type { Route } from "../../message/delivery.ts";
import { subjectOf } from "../../message/foreign-name.ts";
import { Channels } from "./channels.ts";
import { Observers } from "./observers.ts";

/** Names whose routes are remembered. */
const REMEMBERED = 1_000;

/** A connection as others of its tenant see it. */
export interface Named {
  /** The user, stamped on all that it sends from now on. */
  uid: string;
}

export class TextTenant {
  readonly channels: Channels;
  readonly observers: Observers;
  /** Connections by their GUIDs. */
  readonly connections: Map<string, Named> = new Map();
  /** Messages go to another hub: what only this process knows of them goes with them in pseudo-headers. */
  readonly isBehind: boolean;
  readonly #engine: Engine;
  readonly #routes = new Map<string, Route>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.isBehind = !engine.supports.inProcess;
    this.channels = new Channels(engine);
    this.observers = new Observers(engine);
  }

  /** Undefined for a name that no subject stands for. */
  routeOf(name: string): Route | undefined {
    const known = this.#routes.get(name);
    if (known !== undefined) return known;
    const subject = subjectOf(name);
    if (subject === undefined) return undefined;
    const route = this.#engine.route(subject);
    if (this.#routes.size >= REMEMBERED) this.#routes.clear();
    this.#routes.set(name, route);
    return route;
  }
}

/** Those of a gateway, by their engines: each is forgotten with its engine. */
export class TextTenants {
  readonly #all = new WeakMap<Engine, TextTenant>();

  of(engine: Engine): TextTenant {
    let tenant = this.#all.get(engine);
    if (tenant === undefined) this.#all.set(engine, (tenant = new TextTenant(engine)));
    return tenant;
  }
}
