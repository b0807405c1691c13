/** A service: as many instances as its definition says, or as the last `scale` asked for. */
import type { ServiceDefinition } from "../config/services.ts";
import type { HubListener } from "../gateway/native/listeners.ts";
import { Instance, type InstanceOptions, type InstanceStatus } from "./instance.ts";
import { LogRing, type LogLine } from "./log-ring.ts";

/** What services need from the code that starts them. */
export interface Surroundings extends Pick<
  InstanceOptions,
  "run" | "httpUrl" | "key" | "pipes" | "readiness" | "onState"
> {
  /** What starts the command line of Lintel: a program and its first arguments. */
  readonly lintel: readonly string[];
  /** Opens a socket of the hub for this instance alone. */
  readonly openListener: () => Promise<HubListener>;
  readonly onLine: (line: LogLine) => void;
  /** Called with failed changes that nothing awaits. */
  readonly onError: (error: unknown) => void;
}

interface Place {
  readonly instance: Instance;
  readonly listener: HubListener;
}

export class Service {
  readonly log: LogRing = new LogRing();
  /** Resolves when every instance of the first start has been ready. */
  readonly ready: Promise<void>;
  readonly #surroundings: Surroundings;
  readonly #places = new Map<number, Place>();
  #definition: ServiceDefinition;
  #wanted: number;
  #after: Promise<unknown>;
  #isStopping = false;
  #becameReady: () => void = () => undefined;
  /** What changes it goes one after the other, each as it is wanted by then: what was asked for last counts. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Starts it when `after` has resolved. */
  constructor(definition: ServiceDefinition, surroundings: Surroundings, after: Promise<unknown>) {
    this.#definition = definition;
    this.#wanted = definition.instances;
    this.#surroundings = surroundings;
    this.#after = after;
    this.ready = new Promise((resolve) => {
      this.#becameReady = resolve;
    });
    this.#inTurn(() => this.#adjust()).catch(surroundings.onError);
  }

  get definition(): ServiceDefinition {
    return this.#definition;
  }

  get status(): InstanceStatus[] {
    return [...this.#places].toSorted(([a], [b]) => a - b).map(([, { instance }]) => instance.status);
  }

  /**
   * Starts every instance anew, one after the other, as the definition says, when `after` has resolved; resolves when the
   * last has settled.
   */
  restart(
    definition: ServiceDefinition = this.#definition,
    after: Promise<unknown> = this.#after,
  ): Promise<void> {
    if (definition.instances !== this.#definition.instances) this.#wanted = definition.instances;
    this.#definition = definition;
    this.#after = after;
    return this.#inTurn(async () => {
      for (const number of [...this.#places.keys()]) {
        await this.#remove(number);
        if (this.#isStopping || number > this.#wanted) continue;
        await (
          await this.#start(number)
        ).settled;
      }
      await this.#adjust();
    });
  }

  /** Starts or ends instances until there are so many. */
  scale(count: number): Promise<void> {
    this.#wanted = count;
    return this.#inTurn(() => this.#adjust());
  }

  /** Takes another definition that differs in nothing but the number of instances. */
  resize(definition: ServiceDefinition): Promise<void> {
    this.#definition = definition;
    return this.scale(definition.instances);
  }

  /** Ends all instances; resolves when nothing is left of them. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const { instance } of this.#places.values()) void instance.stop();
    await this.#inTurn(async () => {
      await Promise.all([...this.#places.keys()].map((number) => this.#remove(number)));
    });
  }

  /** Ends all instances with SIGKILL, now. */
  kill(): void {
    this.#isStopping = true;
    for (const { instance } of this.#places.values()) instance.kill();
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(change);
    this.#turn = done.catch(() => undefined); // the caller gets the error
    return done;
  }

  async #adjust(): Promise<void> {
    const surplus = [...this.#places.keys()].filter((number) => number > this.#wanted);
    await Promise.all(surplus.map((number) => this.#remove(number)));
    for (let number = 1; number <= this.#wanted && !this.#isStopping; number++)
      if (!this.#places.has(number)) await this.#start(number);
    this.#check();
  }

  async #start(number: number): Promise<Instance> {
    const { lintel, openListener, onLine, onState, onError: _, ...others } = this.#surroundings;
    const listener = await openListener();
    const instance = new Instance({
      ...others,
      definition: this.#definition,
      number,
      command: commandOf(this.#definition, lintel),
      hubUrl: listener.url,
      after: this.#after,
      onLine: (line) => {
        this.log.append(line);
        onLine(line);
      },
      onState: (changed) => {
        onState(changed);
        this.#check();
      },
    });
    this.#places.set(number, { instance, listener });
    if (this.#isStopping) void instance.stop(); // it was asked to stop while the gateway opened
    return instance;
  }

  async #remove(number: number): Promise<void> {
    const place = this.#places.get(number);
    if (place === undefined) return;
    await place.instance.stop();
    await place.listener.close();
    this.#places.delete(number);
  }

  #check(): void {
    if (this.#places.size < this.#wanted) return;
    if (this.status.every(({ state }) => state === "ready")) this.#becameReady();
  }
}

/** What is to be run for a service. */
function commandOf({ program }: ServiceDefinition, lintel: readonly string[]): readonly string[] {
  if (program.kind === "command") return program.command;
  if (program.kind === "app") return [...lintel, "work-app", program.module, "--subject", program.subject];
  const { subject, command, lines, stream, queue, concurrency, type } = program;
  return [
    ...[...lintel, "work", subject],
    ...(lines === true ? ["--lines"] : []),
    ...(stream === true ? ["--stream"] : []),
    ...(queue === undefined ? [] : ["--queue", queue]),
    ...(concurrency === undefined ? [] : ["--concurrency", String(concurrency)]),
    ...(type === undefined ? [] : ["--type", type]),
    ...["--", ...command],
  ];
}
