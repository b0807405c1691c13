/** What `/stats` says, and to whom (C-60). */
import { hostname } from "node:os";
import type { Admitted } from "../../access/admission.ts";
import { whenDecided } from "../../access/decisions.ts";
import type { Failure } from "../../message/failure.ts";
import type { CommandsTenants } from "./tenant.ts";

/** The name of what is administered. */
const TOOL = "commands";

/** Calls back with the text, in JSON, or with why this principal does not get it. */
export function readCounters(
  admitted: Admitted,
  tenants: CommandsTenants,
  told: (text: string | Failure) => void,
): void {
  const check = (): ReturnType<Admitted["check"]> => admitted.check("admin", TOOL);
  whenDecided({ decision: check(), check }, (why) => {
    if (why !== undefined) return told(why);
    const { connections: clients, counts } = tenants.of(admitted.tenantEngine);
    let functions = 0;
    for (const { underWay } of clients) functions += underWay;
    const connections = { inbound: clients.size };
    const commands = counts.snapshot();
    return told(JSON.stringify({ hostname: hostname(), connections, commands, functions }));
  });
}
