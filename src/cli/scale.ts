import { InvalidArgumentError, type Command } from "commander";
import { Control } from "../supervisor/control.ts";
import type { InstanceStatus } from "../supervisor/instance.ts";
import { PATIENCE_MS, connectToUp, manifestFlag } from "./control-link.ts";
import { table } from "./ps.ts";

interface Target {
  readonly name: string;
  readonly count: number;
}

const EXAMPLES = `
The number stays until lintel up ends, or until the manifest is changed to another number.

Examples:
  lintel scale greet=3
  lintel scale greet=0`;

export function define(command: Command): void {
  command
    .description("Run more or fewer instances of a service.")
    .argument("<name=number>", "the service and the number of instances", parseTarget)
    .addOption(manifestFlag())
    .addHelpText("after", EXAMPLES)
    .action(scale);
}

function parseTarget(text: string): Target {
  const match = /^([^=]+)=(\d{1,3})$/.exec(text);
  if (match === null) throw new InvalidArgumentError("It must be NAME=NUMBER, such as greet=3.");
  return { name: match[1] ?? "", count: Number(match[2]) };
}

async function scale(target: Target, { config }: { readonly config?: string }): Promise<void> {
  const peer = await connectToUp(config);
  try {
    const order = { timeoutMs: PATIENCE_MS };
    const instances = await peer.request<InstanceStatus[]>(Control.scale, target, order);
    process.stdout.write(table(instances, Date.now()));
  } finally {
    await peer.close();
  }
}
