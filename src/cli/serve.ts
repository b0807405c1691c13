import { Option, type Command } from "commander";
import type { FileConfig, Overrides } from "../config/config.ts";
import type { Hub } from "../hub/hub.ts";
import { DEFAULT_URL } from "../transport/default-url.ts";
import { accessFields, accessRow, urlFields, urlRows } from "./announce.ts";
import { findConfigFile, readConfigFile } from "./config-file.ts";
import { addConfigFlags, overridesOf } from "./config-flags.ts";
import { graceOption } from "./flags.ts";
import { note } from "./note.ts";
import { explainListening } from "./listening.ts";
import { droppedLine, requestLog, type LogFormat } from "./request-log.ts";
import { Stopping } from "./stopping.ts";
import { dropUnread } from "./unread-output.ts";

/** Besides those that set options of the configuration. */
interface Flags {
  readonly config?: string;
  readonly log: LogFormat;
  readonly grace: number;
}

const help = (notes: readonly string[], examples: readonly string[]): string => `
By default the hub listens for HTTP on 127.0.0.1:8500 and for workers on tcp://127.0.0.1:4500. Workers may also connect to
the HTTP port, as ws://127.0.0.1:8500.
Without --config, a lintel.yaml in the current directory is used. Variables such as LINTEL_HTTP_LISTEN override the file,
and flags override both.
URLs begin with tcp, unix, ws, h2c or http1. URLs with TLS (tls, wss, h2, http1s) need certificates: use --tls-cert and
--tls-key, or tls in the file. With certificates the HTTP port speaks HTTPS.
${notes.join("\n")}
SIGINT (Ctrl-C) or SIGTERM lets requests under way finish, within --grace, and then ends; a second signal ends at once.

Examples:
  lintel serve
  lintel serve --http 127.0.0.1:0 --listen unix:///run/lintel.sock
  lintel serve --http off --listen tcp://127.0.0.1:4500 --listen unix:///run/lintel.sock
  lintel serve --http 0.0.0.0:8443 --listen tls://0.0.0.0:4501 --tls-cert hub.pem --tls-key hub.key
${examples.map((example) => `  ${example}\n`).join("")}  lintel serve --config prod.yaml --log json`;

export async function define(command: Command): Promise<void> {
  command
    .description("Start a hub that passes requests from HTTP and from programs to workers.")
    .option("-c, --config <file>", "config file (default: lintel.yaml in this directory)");
  const sections = await addConfigFlags(command);
  command
    .addOption(
      new Option("--log <format>", "one line on stdout for each request")
        .choices(["text", "json", "off"])
        .default("text"),
    )
    .addOption(graceOption("time for requests under way after a signal"))
    .addHelpText("after", help(sections.help.notes, sections.help.examples))
    .action((flags: Flags) => serve(flags, overridesOf(sections, { ...flags })));
}

async function serve(flags: Flags, overrides: Overrides): Promise<void> {
  using stopping = new Stopping();
  const file = flags.config ?? findConfigFile("lintel.yaml");
  const { services = [], ...config } = await readConfigFile(file, overrides);
  if (services.length > 0)
    note("the file has services, which only `lintel up` starts; this starts the hub alone");
  dropUnread(process.stdout, (lines) => droppedLine(flags.log, lines, new Date()));
  const hub = await start(config, flags.log);
  try {
    process.stdout.write(
      flags.log === "json" ? jsonBanner(hub, config, file) : textBanner(hub, config, file),
    );
    await stopping.stopped();
    note("finishing what is under way; a second signal ends at once");
    await hub.drain({ graceMs: flags.grace });
  } finally {
    await hub.close();
  }
}

async function start(config: FileConfig, log: LogFormat): Promise<Hub> {
  const { createHub } = await import("../hub/hub.ts");
  const onRequest = requestLog(log, (line) => void process.stdout.write(line));
  const http = { ...config.http, onFault: (error: unknown) => note(`HTTP: ${String(error)}`) };
  try {
    return await createHub({
      ...config,
      http: config.http === false ? false : onRequest === undefined ? http : { ...http, onRequest },
      onError: (error, where) => note(`${where} failed: ${String(error)}`),
    });
  } catch (error) {
    throw explainListening(error);
  }
}

function jsonBanner(hub: Hub, config: FileConfig, file: string | undefined): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ time, event: "listening", ...urlFields(hub), ...accessFields(config), config: file })}\n`;
}

function textBanner(hub: Hub, config: FileConfig, file: string | undefined): string {
  const { httpUrl, urls, sessionUrl } = hub;
  const workers = urls.length > 0 || sessionUrl === undefined ? urls : [sessionUrl];
  const rows = ["lintel is up"];
  if (file !== undefined) rows.push(`  config   ${file}`);
  rows.push(...urlRows(hub, workers), accessRow(config));
  const [url] = workers;
  if (url !== undefined) {
    const isOpen = config.access === undefined;
    const flag = `${url === DEFAULT_URL ? "" : ` --hub ${url}`}${isOpen ? "" : " --key-file FILE"}`;
    const header = isOpen ? "" : ' -H "Authorization: Bearer $KEY"';
    rows.push("try", `  lintel work greet${flag} -- cat`);
    if (httpUrl === undefined) rows.push(`  lintel request greet${flag} '{"name":"Ada"}'`);
    else rows.push(`  curl${header} -d '{"name":"Ada"}' ${httpUrl}/greet`);
  }
  return `${rows.join("\n")}\n`;
}
