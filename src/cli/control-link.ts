/** The connection of a command to the `lintel up` of a project. */
import { Option } from "commander";
import { connect } from "../peer/connect.ts";
import type { Peer } from "../peer/peer.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";
import { controlUrl } from "../supervisor/runtime-directory.ts";
import { projectOf } from "./config-file.ts";
import { CliError, Exit } from "./failure.ts";

/** Orders take as long as services take to stop and start. */
export const PATIENCE_MS: number = MAX_TIMEOUT;
const CONNECT_MS = 2_000;

/** `--config FILE`, which says which `lintel up` is meant. */
export function manifestFlag(): Option {
  return new Option(
    "-c, --config <file>",
    "manifest of the lintel up to talk to (default: the one in this directory)",
  );
}

/** Connects to the `lintel up` whose manifest is in this file's directory, or in the current one. */
export async function connectToUp(config: string | undefined): Promise<Peer> {
  const project = projectOf(config);
  try {
    return await connect(controlUrl(project), { timeoutMs: CONNECT_MS });
  } catch (cause) {
    const hint = "start it with `lintel up`, or name another manifest with --config";
    throw new CliError(Exit.connection, "NOT_RUNNING", `no lintel up runs in ${project}`, { hint, cause });
  }
}
