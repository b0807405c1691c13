import type { Command } from "commander";
import { Control } from "../supervisor/control.ts";
import type { InstanceStatus } from "../supervisor/instance.ts";
import { PATIENCE_MS, connectToUp, manifestFlag } from "./control-link.ts";
import { table } from "./ps.ts";

const EXAMPLES = `
Instances restart one after the other, so that a service with several keeps answering. A service that was given up is
started too.

Examples:
  lintel restart greet`;

export function define(command: Command): void {
  command
    .description("Stop and start the instances of a service.")
    .argument("<name>", "the service")
    .addOption(manifestFlag())
    .addHelpText("after", EXAMPLES)
    .action(restart);
}

async function restart(name: string, { config }: { readonly config?: string }): Promise<void> {
  const peer = await connectToUp(config);
  try {
    const order = { timeoutMs: PATIENCE_MS };
    const instances = await peer.request<InstanceStatus[]>(Control.restart, { name }, order);
    process.stdout.write(table(instances, Date.now()));
  } finally {
    await peer.close();
  }
}
