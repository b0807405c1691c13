/** What a gateway has to show to be tested: the hub that has it, and how its clients use it. */
import { createHub, type Hub, type HubConfig } from "../../hub/hub.ts";

/** A request that came from outside. */
export interface ForeignRequest {
  /** The answer's text, after "answered ", or how it failed: the reason, or whatever a client sees of it. Never rejects. */
  readonly outcome: Promise<string>;
  /** The client is gone. */
  leave(): void;
}

/** A request in the hands of a worker outside. */
export interface ForeignJob {
  readonly text: string;
  answer(text: string): Promise<void>;
}

/** A worker that is registered from outside. */
export interface ForeignWorker {
  /** The next request. */
  next(): Promise<ForeignJob>;
  /** It is gone, without a word. */
  leave(): void;
}

export type TextHandler = (text: string, signal: AbortSignal) => string | Promise<string>;

export interface GatewaySuiteOptions {
  /** The name of the gateway in `hub.gateways`. */
  readonly gateway: string;
  /**
   * A hub with this gateway, and with as little else as it can do without. `urls` are those of a gateway that was closed: the new
   * one is to be reached there. Else it listens where nobody does.
   */
  readonly config: (urls?: readonly string[]) => HubConfig;
  /** Makes a request as a client does. Left out: the gateway takes none. */
  readonly request?: (hub: Hub, subject: string, text: string) => ForeignRequest | Promise<ForeignRequest>;
  /** Clients can say how long a request may take: makes one that may take so many milliseconds. */
  readonly requestWithin?: (hub: Hub, subject: string, timeoutMs: number) => ForeignRequest;
  /** What `outcome` is when nobody serves the subject. Default /NO_RESPONDERS/. */
  readonly noResponders?: RegExp;
  /** Serves a subject inside the hub for these clients. Default: as text. */
  readonly serve?: (hub: Hub, subject: string, handler: TextHandler) => Promise<unknown>;
  /** Registers a worker as a client does. Left out: the gateway has none. */
  readonly work?: (hub: Hub, subject: string) => Promise<ForeignWorker>;
  /** Makes a request for the workers of these clients. Default: as text. */
  readonly ask?: (hub: Hub, subject: string, text: string) => Promise<unknown>;
  /** Sends what is none of the protocol, and resolves with what comes back until the gateway has done with it. */
  readonly garbage?: (hub: Hub) => Promise<string>;
  /** What must come back. Default: anything, as long as it ends. */
  readonly refusal?: RegExp;
  /** Resolves when the hub can route. Left out: it can at once. */
  readonly ready?: (hub: Hub) => Promise<unknown>;
  /** Why the gateway cannot be tested here. */
  readonly skip?: string | false;
}

/** A hub for one test. */
export class Scene implements AsyncDisposable {
  readonly hub: Hub;
  readonly #options: GatewaySuiteOptions;
  #isOver = false;

  private constructor(hub: Hub, options: GatewaySuiteOptions) {
    this.hub = hub;
    this.#options = options;
  }

  static async open(options: GatewaySuiteOptions, urls?: readonly string[]): Promise<Scene> {
    const config = { http: false, jobs: false, listen: [], onError: () => undefined } as const;
    const hub = await createHub({ ...config, ...options.config(urls) });
    await options.ready?.(hub);
    return new Scene(hub, options);
  }

  get urls(): readonly string[] {
    const { gateway } = this.#options;
    const open = this.hub.gateways.find(({ name }) => name === gateway);
    if (open === undefined) throw new Error(`the hub has no gateway "${gateway}"`);
    return open.urls;
  }

  /** True when the gateway takes requests. */
  get canRequest(): boolean {
    return this.#options.request !== undefined;
  }

  request(subject: string, text = ""): Promise<ForeignRequest> {
    return Promise.resolve(this.#options.request!(this.hub, subject, text));
  }

  async serve(subject: string, handler: TextHandler): Promise<void> {
    const asText = (hub: Hub): Promise<unknown> =>
      hub.serve(subject, (value, { signal }) => handler(String(value), signal));
    await (this.#options.serve?.(this.hub, subject, handler) ?? asText(this.hub));
  }

  /** A handler that never answers by itself: resolves with what it has been told. */
  async hold(subject: string): Promise<Held> {
    const held = new Held();
    await this.serve(subject, (_text, signal) => held.begin(signal));
    return held;
  }

  work(subject: string): Promise<ForeignWorker> {
    return this.#options.work!(this.hub, subject);
  }

  /** The outcome of a request for a worker outside: what it was answered with, or the reason. */
  ask(subject: string, text: string): Promise<string> {
    const { ask = (hub: Hub): Promise<unknown> => hub.request(subject, text) } = this.#options;
    return ask(this.hub, subject, text).then(
      (value) => `answered ${String(value)}`,
      (error: { readonly reason: string }) => error.reason,
    );
  }

  close(): Promise<void> {
    this.#isOver = true;
    return this.hub.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) await this.close();
  }
}

/** A request that its handler holds. */
export class Held {
  readonly begun: Promise<void>;
  /** Resolves with the reason when the signal of the handler fires. */
  readonly aborted: Promise<string>;
  answer: (text: string) => void = () => undefined;
  #begun: () => void = () => undefined;
  #aborted: (reason: string) => void = () => undefined;

  constructor() {
    this.begun = new Promise((resolve) => (this.#begun = resolve));
    this.aborted = new Promise((resolve) => (this.#aborted = resolve));
  }

  begin(signal: AbortSignal): Promise<string> {
    this.#begun();
    return new Promise((resolve) => {
      this.answer = resolve;
      signal.addEventListener("abort", () => {
        this.#aborted((signal.reason as { readonly reason?: string }).reason ?? "aborted");
        resolve("");
      });
    });
  }
}
