import { Option, type Command } from "commander";
import { urlText } from "../message/url-text.ts";
import type { HttpServiceOptions } from "../app/index.ts";
import type { Peer } from "../peer/peer.ts";
import { hasPort, loadApp } from "./app-file.ts";
import { parseCount, parsePattern, parseSeconds } from "./flags.ts";
import { addHubFlags, type HubFlags } from "./hub-flags.ts";
import { connectToHub } from "./hub-link.ts";
import { note } from "./note.ts";
import { Stopping } from "./stopping.ts";

interface Flags extends HubFlags {
  readonly subject: string;
  readonly queue?: string;
  readonly concurrency?: number;
  readonly keepPrefix?: true;
  readonly grace: number;
}

/** A worker may be started before its hub. */
const FIRST_CONNECTION_MS = 10_000;
const DEFAULT_GRACE_MS = 5_000;

const EXAMPLES = `
<file> exports a web app, as default or as app, server, handler or fetch: an app of Express, Fastify, Koa, Nest or Hono,
a server of node:http that does not listen, a function (request, response), an object with fetch, a function
(request) that returns a Response, or a function without parameters that makes one of these.
The hub needs a route to the app: { path: /shop, subject: shop, mode: app }.
SIGINT (Ctrl-C) or SIGTERM accepts no more requests and waits for those in hand; a second signal ends at once.

Examples:
  lintel work-app ./app.js --subject shop
  lintel work-app ./dist/server.js --subject shop --hub tcp://10.0.0.5:4500 --keep-prefix`;

export function define(command: Command): void {
  addHubFlags(command)
    .description("Serve a subject with a web app, which opens no port.")
    .argument("<file>", "the program that exports the app, such as ./app.js")
    .addOption(
      new Option("-s, --subject <name>", "what to serve, such as shop")
        .argParser(parsePattern)
        .makeOptionMandatory(),
    )
    .option("-q, --queue <name>", "queue group; apps of one group share the requests")
    .addOption(
      new Option(
        "-n, --concurrency <number>",
        "requests that may wait for their answers to begin (default: 256)",
      ).argParser(parseCount),
    )
    .option("--keep-prefix", "pass the app the whole path, with its route's prefix (default: stripped)")
    .addOption(
      new Option("--grace <seconds>", "time for answers under way after a signal")
        .argParser(parseSeconds)
        .default(DEFAULT_GRACE_MS, "5"),
    )
    .addHelpText("after", EXAMPLES)
    .action(workApp);
}

async function workApp(file: string, flags: Flags): Promise<void> {
  using stopping = new Stopping();
  try {
    await serveFile(file, flags, stopping);
  } finally {
    // What the app has set going, timers and connections of its own, would keep the process forever.
    setImmediate(() => process.exit());
  }
}

async function serveFile(file: string, flags: Flags, stopping: Stopping): Promise<void> {
  const { hub: url, subject } = flags;
  const app = await loadApp(file);
  if (hasPort()) note(`${file} has opened a port of its own; it needs none here`);
  const peer = await connectToHub(flags, `lintel work-app ${subject}`, FIRST_CONNECTION_MS);
  try {
    const { serveRecognised } = await import("../app/index.ts");
    const service = await serveRecognised(peer, subject, app, optionsOf(flags));
    note(`serving ${subject} at ${urlText(url)} with the ${app.kind} of ${file}`);
    await finish(peer, stopping, service, flags.grace);
  } finally {
    await peer.close();
  }
}

async function finish(
  peer: Peer,
  stopping: Stopping,
  service: { readonly closed: Promise<void>; close(): Promise<void> },
  graceMs: number,
): Promise<void> {
  await Promise.race([stopping.stopped(), service.closed]);
  note("finishing what is under way; a second signal ends at once");
  await service.close();
  await peer.drain({ graceMs });
}

function optionsOf({ queue, concurrency, keepPrefix, grace }: Flags): HttpServiceOptions {
  return {
    graceMs: grace,
    prefix: keepPrefix === true ? "keep" : "strip",
    onError: (error, where) =>
      note(`${where} failed: ${error instanceof Error ? error.stack : String(error)}`),
    ...(queue === undefined ? {} : { queue }),
    ...(concurrency === undefined ? {} : { concurrency }),
  };
}
