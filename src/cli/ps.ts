import type { Command } from "commander";
import { Control, type ControlStatus } from "../supervisor/control.ts";
import type { InstanceState, InstanceStatus } from "../supervisor/instance.ts";
import { connectToUp, manifestFlag } from "./control-link.ts";
import { paint, printable } from "./paint.ts";

interface Flags {
  readonly config?: string;
  readonly json?: true;
}

const EXAMPLES = `
SUBJECTS shows how many of an instance's subjects are served, and how many it has.

Examples:
  lintel ps
  lintel ps --json`;

export function define(command: Command): void {
  command
    .description("List the instances of the services that lintel up runs for this directory.")
    .addOption(manifestFlag())
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(ps);
}

async function ps({ config, json }: Flags): Promise<void> {
  const peer = await connectToUp(config);
  try {
    const status = await peer.request<ControlStatus>(Control.status);
    process.stdout.write(json === true ? `${JSON.stringify(status)}\n` : table(status.instances, Date.now()));
  } finally {
    await peer.close();
  }
}

const TITLES = ["NAME", "INSTANCE", "PID", "STATE", "SINCE", "RESTARTS", "SUBJECTS", "LAST END"] as const;

/** The instances as a table; `now` in milliseconds since the epoch. */
export function table(instances: readonly InstanceStatus[], now: number): string {
  const rows = instances.map(({ service, instance, pid, state, since, restarts, subjects, why }) => [
    service,
    instance.slice(service.length + 1),
    pid === null ? "-" : String(pid),
    state,
    ago(now - since),
    String(restarts),
    subjects.length === 0 ? "-" : `${subjects.filter(({ served }) => served).length}/${subjects.length}`,
    printable(why),
  ]);
  const widths = TITLES.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const pad = (text: string, at: number): string => text.padEnd(widths[at] ?? 0);
  const painted = rows.map((row, at) =>
    row.map((text, column) =>
      column === 3
        ? paint(process.stdout, colorOf(instances[at]!.state), pad(text, column))
        : pad(text, column),
    ),
  );
  return [TITLES.map(pad), ...painted].map((row) => `${row.join("  ").trimEnd()}\n`).join("");
}

function colorOf(state: InstanceState): "green" | "red" | "yellow" | "dim" {
  switch (state) {
    case "ready":
      return "green";
    case "failed":
    case "backoff":
      return "red";
    case "starting":
    case "waiting":
    case "stopping":
      return "yellow";
    case "stopped":
    case "ended":
      return "dim";
  }
}

const STEPS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
] as const;

/** The largest unit that fits: `3m` for three minutes and anything up to four. */
function ago(ms: number): string {
  const [size, unit] = STEPS.find(([one]) => ms >= one) ?? [1_000, "s"];
  return `${Math.max(0, Math.floor(ms / size))}${unit}`;
}
