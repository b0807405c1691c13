/** Entry point of every child process: takes a role, measures when told to, and ends with its parent. */
import type { Command, Outcome } from "./protocol.ts";
import { openRole, type OpenRole } from "./roles.ts";

let role: OpenRole | undefined;

async function obey(command: Command): Promise<Outcome> {
  switch (command.do) {
    case "open": {
      role = await openRole(command.role);
      const { address, workerAddress } = role;
      return {
        is: "opened",
        addresses: { ...(address && { address }), ...(workerAddress && { workerAddress }) },
      };
    }
    case "measure":
      if (role?.measure === undefined) throw new Error("this role measures nothing");
      return { is: "measured", sample: await role.measure(command.load, command.seconds) };
    case "close":
      await role?.close();
      return { is: "closed" };
  }
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
