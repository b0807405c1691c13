/** What services write and how they fare, as lines behind their names. */
import type { InstanceStatus } from "../supervisor/instance.ts";
import type { LogLine } from "../supervisor/log-ring.ts";
import { paint, printable } from "./paint.ts";

const COLORS = ["cyan", "green", "magenta", "yellow", "blue"] as const;

export class ServiceOutput {
  readonly #colors = new Map<string, (typeof COLORS)[number]>();
  #width = 0;
  #waiting = "";

  /** `greet.1 | text`, as wide as the longest name so far, each service in a color of its own. */
  line({ instance, text }: Pick<LogLine, "instance" | "text">): string {
    return this.behind(instance, `${printable(text.replaceAll("\t", "    "))}\n`);
  }

  /** The same for a line of our own, which ends and may have colors. */
  behind(name: string, line: string): string {
    return `${this.#prefix(name)} ${line}`;
  }

  /** Prints a line, together with all others of this turn of the loop: a write for each would hold up the hub. */
  write(line: string): void {
    if (this.#waiting === "") setImmediate(() => this.#flush());
    this.#waiting += line;
  }

  /** One line about a state that matters to the user at the terminal; undefined for others. */
  event({ instance, state, pid, why }: InstanceStatus): string | undefined {
    switch (state) {
      case "starting":
        return pid === null ? undefined : `${instance} is process ${pid}`;
      case "ready":
        return `${instance} is ready`;
      case "backoff":
      case "failed":
      case "ended":
        return `${instance} ${why}${state === "backoff" ? "" : "; it is not started again"}`;
      case "stopped":
        return `${instance} has stopped`;
      case "waiting":
      case "stopping":
        return undefined;
    }
  }

  #flush(): void {
    process.stdout.write(this.#waiting);
    this.#waiting = "";
  }

  #prefix(instance: string): string {
    const [service = ""] = instance.split(".");
    let color = this.#colors.get(service);
    if (color === undefined) {
      color = COLORS[this.#colors.size % COLORS.length] ?? "cyan";
      this.#colors.set(service, color);
    }
    this.#width = Math.max(this.#width, instance.length);
    return paint(process.stdout, color, `${instance.padEnd(this.#width)} |`);
  }
}
