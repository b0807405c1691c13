import { InvalidArgumentError, Option, type Command } from "commander";
import { urlText } from "../message/url-text.ts";
import { isLoopback, parseHostPort, type HostPort } from "../transport/host-port.ts";
import type { Peer } from "../peer/peer.ts";
import type { Tunnel, TunnelOptions } from "../tunnel/index.ts";
import { parseSubject } from "./flags.ts";
import { addHubFlags, type HubFlags } from "./hub-flags.ts";
import { connectToHub } from "./hub-link.ts";
import { note } from "./note.ts";
import { explainListening } from "./listening.ts";
import { paint } from "./paint.ts";
import { Stopping } from "./stopping.ts";
import { limitFlags, runEnd, tunnelOptions, type LimitFlags } from "./tunnel-flags.ts";

interface Flags extends HubFlags, LimitFlags {
  readonly listen: HostPort;
  readonly subject: string;
}

/** It may be started before its hub. */
const FIRST_CONNECTION_MS = 10_000;

const EXAMPLES = `
Every connection to the address goes through the hub to a \`lintel expose\` of the subject. If there is none, or its target
cannot be reached, the connection is closed at once, and a line on stderr says why.
A port alone means 127.0.0.1. Anybody who can reach the address can reach the target: there is no other check.
SIGINT (Ctrl-C) or SIGTERM accepts no more connections and waits for the open ones; a second signal ends at once.

Examples:
  lintel tunnel --listen 127.0.0.1:5433 --subject db.main
  lintel tunnel --listen 5433 --subject db.main --max-connections 10 --max-time 8h
  psql -h 127.0.0.1 -p 5433`;

export function define(command: Command): void {
  addHubFlags(command)
    .description("Listen on a TCP port, and connect to a target that lintel expose offers.")
    .addOption(
      new Option("-l, --listen <host:port>", "address to listen on")
        .argParser(parseListen)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("-s, --subject <subject>", "the subject of the target, such as db.main")
        .argParser(parseSubject)
        .makeOptionMandatory(),
    );
  for (const option of limitFlags()) command.addOption(option);
  command.addHelpText("after", EXAMPLES).action(tunnel);
}

function parseListen(text: string): HostPort {
  const address = parseHostPort(text);
  if (address === undefined)
    throw new InvalidArgumentError("It must be HOST:PORT or a port; port 0 takes a free one.");
  return address;
}

async function tunnel(flags: Flags): Promise<void> {
  const { hub: url, subject } = flags;
  using stopping = new Stopping();
  const peer = await connectToHub(flags, `lintel tunnel ${subject}`, FIRST_CONNECTION_MS);
  try {
    const opened = await listen(peer, flags.listen, subject, tunnelOptions(flags));
    const address = opened.url.replace("tcp://", "");
    if (!isLoopback(flags.listen.host)) {
      const text = `warning: ${address} is open to other machines, and anyone who reaches it also reaches ${subject}`;
      note(paint(process.stderr, "yellow", text));
    }
    note(`listening on ${address} for ${subject} at ${urlText(url)}`);
    await runEnd(opened, stopping);
  } finally {
    await peer.close();
  }
}

async function listen(
  peer: Peer,
  address: HostPort,
  subject: string,
  options: TunnelOptions,
): Promise<Tunnel> {
  const { tunnelTcp } = await import("../tunnel/index.ts");
  try {
    return await tunnelTcp(peer, { ...address, subject }, options);
  } catch (error) {
    throw explainListening(error);
  }
}
