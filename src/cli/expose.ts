import { InvalidArgumentError, type Command } from "commander";
import { urlText } from "../message/url-text.ts";
import type { Target } from "../gateway/tunnel/worker.ts";
import { parseHostPort } from "../transport/host-port.ts";
import { parseSubject } from "./flags.ts";
import { addHubFlags, type HubFlags } from "./hub-flags.ts";
import { connectToHub } from "./hub-link.ts";
import { note } from "./note.ts";
import { Stopping } from "./stopping.ts";
import { limitFlags, runEnd, tunnelOptions, type LimitFlags } from "./tunnel-flags.ts";

interface Flags extends HubFlags, LimitFlags {
  readonly queue?: string;
}

/** It may be started before its hub. */
const FIRST_CONNECTION_MS = 10_000;

const EXAMPLES = `
Every connection that \`lintel tunnel\` opens for <subject> gets a new connection to <target>, which is HOST:PORT or
unix:PATH. The other end cannot choose another target. Anybody who may use the hub may connect.
If you start several with one subject, they share its connections.
SIGINT (Ctrl-C) or SIGTERM accepts no more connections and waits for the open ones; a second signal ends at once.

Examples:
  lintel expose db.main 127.0.0.1:5432
  lintel expose db.main unix:/run/postgresql/.s.PGSQL.5432 --max-connections 20
  lintel expose ssh.web1 127.0.0.1:22 --hub tcp://10.0.0.5:4500 --idle-timeout off`;

export function define(command: Command): void {
  addHubFlags(command)
    .description("Let tunnels connect to one TCP target through the hub, without an open port.")
    .argument("<subject>", "the name of the target, such as db.main", parseSubject)
    .argument("<target>", "the address to connect to, such as 127.0.0.1:5432", parseTarget)
    .option("-q, --queue <name>", "queue group; instances of one group share the connections");
  for (const option of limitFlags()) command.addOption(option);
  command.addHelpText("after", EXAMPLES).action(expose);
}

function parseTarget(text: string): Target {
  if (text.startsWith("unix:") && text.length > 5) return { path: text.slice(5).replace(/^\/\/(?=\/)/, "") };
  const address = text.includes(":") ? parseHostPort(text) : undefined;
  if (address === undefined || address.port === 0)
    throw new InvalidArgumentError("It must be HOST:PORT or unix:PATH.");
  return address;
}

async function expose(subject: string, target: Target, flags: Flags): Promise<void> {
  const { hub: url, queue } = flags;
  using stopping = new Stopping();
  const peer = await connectToHub(flags, `lintel expose ${subject}`, FIRST_CONNECTION_MS);
  try {
    const { exposeTcp } = await import("../tunnel/index.ts");
    const options = { ...tunnelOptions(flags), ...(queue === undefined ? {} : { queue }) };
    const exposure = await exposeTcp(peer, subject, target, options);
    const place = "path" in target ? target.path : `${target.host}:${target.port}`;
    note(`exposing ${place} as ${subject} at ${urlText(url)}`);
    await runEnd(exposure, stopping, exposure.closed);
  } finally {
    await peer.close();
  }
}
