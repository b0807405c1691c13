/** Entry point of every child process: takes a role, measures when told to, and ends with its parent. */
import type { Command, Outcome } from "./protocol.ts";
import { openRole, type OpenRole } from "./roles.ts";

const MIB = 1_048_576;

let role: OpenRole | undefined;
/** Resident memory when the role was ready. Bytes. */
let atFirst = 0;

async function obey(command: Command): Promise<Outcome> {
  switch (command.do) {
    case "open": {
      role = await openRole(command.role);
      atFirst = process.memoryUsage.rss();
      const { address, workerAddress } = role;
      return {
        is: "opened",
        addresses: { ...(address && { address }), ...(workerAddress && { workerAddress }) },
      };
    }
    case "measure":
      if (command.load.kind === "memory") return { is: "measured", sample: { rate: 0, growth: grown() } };
      if (role?.measure === undefined) throw new Error("this role measures nothing");
      return { is: "measured", sample: await role.measure(command.load, command.seconds) };
    case "close":
      await role?.close();
      return { is: "closed" };
  }
}

function grown(): number {
  return (process.resourceUsage().maxRSS * 1_024 - atFirst) / MIB;
}

function tell(outcome: Outcome): void {
  process.send?.(outcome, undefined, undefined, () => {
    if (outcome.is === "closed") process.exit(0);
  });
}

process.on("message", (command: Command) => {
  void obey(command).then(tell, (error: unknown) => {
    tell({ is: "failed", message: error instanceof Error ? error.message : String(error) });
  });
});
// Ctrl-C reaches the whole process group; the parent decides in which order things end.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
