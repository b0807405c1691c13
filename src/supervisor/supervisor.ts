/** The services of a manifest: started, watched, changed and ended together. */
import { closest } from "../config/suggest.ts";
import { MAX_INSTANCES, type ServiceDefinition } from "../config/services.ts";
import { LintelError } from "../message/failure.ts";
import type { InstanceStatus } from "./instance.ts";
import { Service, type Surroundings } from "./service.ts";

/** What another manifest has changed: names of services. */
export interface Changes {
  readonly started: readonly string[];
  readonly stopped: readonly string[];
  readonly restarted: readonly string[];
  readonly scaled: readonly string[];
}

export class Supervisor {
  readonly #surroundings: Surroundings;
  readonly #services = new Map<string, Service>();
  /** Services that the manifest has no more, while they end: none of the same name starts before. */
  readonly #leaving = new Map<string, Promise<void>>();
  #isStopping = false;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  get status(): InstanceStatus[] {
    return [...this.#services.values()].flatMap((service) => service.status);
  }

  /** Resolves when every service has been ready once. */
  async ready(): Promise<void> {
    await Promise.all([...this.#services.values()].map(({ ready }) => ready));
  }

  /** A service by its name. Throws `not_found` / `NO_SERVICE`. */
  service(name: string): Service {
    const service = this.#services.get(name);
    if (service !== undefined) return service;
    const names = [...this.#services.keys()];
    const meant = closest(name, names);
    const hint = meant === undefined ? `there are: ${names.join(", ")}` : `did you mean "${meant}"?`;
    throw new LintelError("not_found", `there is no service "${name}"; ${hint}`, { reason: "NO_SERVICE" });
  }

  /** Starts or ends instances of a service. Throws `invalid_argument` / `BAD_COUNT` and as `service` does. */
  scale(name: string, count: number): Promise<void> {
    const service = this.service(name);
    if (Number.isInteger(count) && count >= 0 && count <= MAX_INSTANCES) return service.scale(count);
    const text = `the number of instances must be a whole number from 0 to ${MAX_INSTANCES}`;
    throw new LintelError("invalid_argument", text, { reason: "BAD_COUNT" });
  }

  /**
   * Makes what runs into what the definitions say. Services whose definition is the same are left alone. Tells at once what
   * that will change, and then does it.
   */
  apply(definitions: readonly ServiceDefinition[]): Changes {
    if (this.#isStopping) return { started: [], stopped: [], restarted: [], scaled: [] };
    const names = new Set(definitions.map(({ name }) => name));
    const stopped = [...this.#services.keys()].filter((name) => !names.has(name));
    for (const name of stopped) this.#remove(name);
    const started: string[] = [];
    const restarted: string[] = [];
    const scaled: string[] = [];
    for (const definition of inOrder(definitions)) {
      const { name } = definition;
      const service = this.#services.get(name);
      if (service === undefined) {
        started.push(name);
        this.#services.set(name, new Service(definition, this.#surroundings, this.#before(definition)));
      } else if (isSame(service.definition, definition)) continue;
      else if (isSame({ ...service.definition, instances: definition.instances }, definition)) {
        scaled.push(name);
        service.resize(definition).catch(this.#surroundings.onError);
      } else {
        restarted.push(name);
        service.restart(definition, this.#before(definition)).catch(this.#surroundings.onError);
      }
    }
    return { started, stopped, restarted, scaled };
  }

  /** Ends every service; resolves when nothing is left of them. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#services.values()].map((service) => service.stop()));
    await Promise.all(this.#leaving.values());
  }

  /** Ends every service with SIGKILL, now. */
  kill(): void {
    this.#isStopping = true;
    for (const service of this.#services.values()) service.kill();
  }

  #remove(name: string): void {
    const before = this.#leaving.get(name);
    const gone = Promise.all([before, this.#services.get(name)?.stop()]).then(() => {
      if (this.#leaving.get(name) === gone) this.#leaving.delete(name);
    });
    this.#leaving.set(name, gone);
    this.#services.delete(name);
  }

  /** Resolves when a service may start. */
  #before({ name, dependsOn }: ServiceDefinition): Promise<unknown> {
    return Promise.all([
      this.#leaving.get(name),
      ...dependsOn.map((other) => this.#services.get(other)?.ready),
    ]);
  }
}

/** Each after what it depends on; there are no circles in a manifest. */
function inOrder(definitions: readonly ServiceDefinition[]): ServiceDefinition[] {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  const ordered = new Set<ServiceDefinition>();
  const add = (definition: ServiceDefinition | undefined): void => {
    if (definition === undefined || ordered.has(definition)) return;
    for (const name of definition.dependsOn) add(byName.get(name));
    ordered.add(definition);
  };
  for (const definition of definitions) add(definition);
  return [...ordered];
}

function isSame(one: ServiceDefinition, other: ServiceDefinition): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
