import { InvalidArgumentError, Option, type Command } from "commander";
import type { FileConfig } from "../config/config.ts";
import { HOST_PORT_FORM, parseHostPort, type HostPort } from "../transport/host-port.ts";
import type { Hub } from "../hub/hub.ts";
import { DEFAULT_URL } from "../transport/default-url.ts";
import { urlFields, urlRows, warnOfStrangers } from "./announce.ts";
import { findConfigFile, readConfigFile } from "./config-file.ts";
import { CliError, Exit } from "./failure.ts";
import { graceOption, parseUrl } from "./flags.ts";
import { note } from "./hub-link.ts";
import { explainListening } from "./listening.ts";
import { readPem } from "./pem-file.ts";
import { droppedLine, requestLog, type LogFormat } from "./request-log.ts";
import { Stopping } from "./stopping.ts";
import { dropUnread } from "./unread-output.ts";

interface Flags {
  readonly config?: string;
  readonly http?: HostPort | false;
  readonly listen?: string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly beam?: string;
  readonly grpc?: HostPort;
  readonly log: LogFormat;
  readonly grace: number;
}

const EXAMPLES = `
By default the hub listens for HTTP on 127.0.0.1:8500 and for workers on tcp://127.0.0.1:4500. Workers may also connect to
the HTTP port, as ws://127.0.0.1:8500, or fetch their jobs there: GET /service/NAME/jobs, POST /jobs/ID.
Without --config, a lintel.yaml in the current directory is used. Flags override the file.
URLs begin with tcp, unix, ws, h2c or http1. URLs with TLS (tls, wss, h2, http1s) need certificates: use --tls-cert and
--tls-key, or tls in the file. With certificates the HTTP port speaks HTTPS.
--beam creates a socket for programs that speak beam. Only its owner may use it.
SIGINT (Ctrl-C) or SIGTERM lets requests under way finish, within --grace, and then ends; a second signal ends at once.

Examples:
  lintel serve
  lintel serve --http 127.0.0.1:0 --listen unix:///run/lintel.sock
  lintel serve --http off --listen tcp://127.0.0.1:4500 --listen unix:///run/lintel.sock
  lintel serve --http 0.0.0.0:8443 --listen tls://0.0.0.0:4501 --tls-cert hub.pem --tls-key hub.key
  lintel serve --beam /run/user/1000/beam.sock
  lintel serve --grpc 127.0.0.1:4510
  lintel serve --config prod.yaml --log json`;

export function define(command: Command): void {
  command
    .description("Start a hub that passes requests from HTTP and from programs to workers.")
    .option("-c, --config <file>", "config file (default: lintel.yaml in this directory)")
    .addOption(new Option("--http <host:port>", "address for HTTP requests, or off").argParser(parseHttp))
    .addOption(new Option("--listen <url>", "URL for workers and clients; may be repeated").argParser(addUrl))
    .option("--tls-cert <file>", "certificate in PEM, with its chain, for HTTP and for URLs with TLS")
    .option("--tls-key <file>", "private key of the certificate, in PEM")
    .option("--beam <path>", "unix socket for programs that speak beam")
    .addOption(new Option("--grpc <host:port>", "address for workers that speak gRPC").argParser(parseListen))
    .addOption(
      new Option("--log <format>", "one line on stdout for each request")
        .choices(["text", "json", "off"])
        .default("text"),
    )
    .addOption(graceOption("time for requests under way after a signal"))
    .addHelpText("after", EXAMPLES)
    .action(serve);
}

export function parseHttp(text: string): HostPort | false {
  if (text === "off") return false;
  const address = parseHostPort(text);
  if (address === undefined) throw new InvalidArgumentError(`It must be off or ${HOST_PORT_FORM}.`);
  return address;
}

function parseListen(text: string): HostPort {
  const address = parseHostPort(text);
  if (address === undefined) throw new InvalidArgumentError(`It must be ${HOST_PORT_FORM}.`);
  return address;
}

function addUrl(url: string, urls: readonly string[] = []): string[] {
  return [...urls, parseUrl(url)];
}

async function serve(flags: Flags): Promise<void> {
  using stopping = new Stopping();
  const file = flags.config ?? findConfigFile("lintel.yaml");
  const { services = [], ...read } = file === undefined ? {} : await readConfigFile(file);
  if (services.length > 0)
    note("the file has services, which only `lintel up` starts; this starts the hub alone");
  const config = override(read, flags);
  dropUnread(process.stdout, (lines) => droppedLine(flags.log, lines, new Date()));
  const hub = await start(config, flags.log);
  try {
    warnOfStrangers(hub);
    process.stdout.write(flags.log === "json" ? jsonBanner(hub, file) : textBanner(hub, file));
    await stopping.stopped();
    note("finishing what is under way; a second signal ends at once");
    await hub.drain({ graceMs: flags.grace });
  } finally {
    await hub.close();
  }
}

/** Flags go before the file. */
function override(file: FileConfig, { http, listen, tlsCert, tlsKey, beam, grpc }: Flags): FileConfig {
  const config = { ...file };
  if (tlsCert !== undefined || tlsKey !== undefined) {
    if (tlsCert === undefined || tlsKey === undefined)
      throw new CliError(Exit.usage, "USAGE", "--tls-cert and --tls-key go together");
    const own = { cert: readPem("--tls-cert", "cert", tlsCert), key: readPem("--tls-key", "key", tlsKey) };
    config.tls = { ...file.tls, ...own };
  }
  if (listen !== undefined) config.listen = listen;
  if (beam !== undefined) config.beam = { ...file.beam, path: beam };
  if (grpc !== undefined) config.grpc = { ...file.grpc, ...grpc };
  if (http === false) config.http = false;
  else if (http !== undefined) config.http = { ...(file.http === false ? {} : file.http), ...http };
  return config;
}

async function start(config: FileConfig, log: LogFormat): Promise<Hub> {
  const { createHub } = await import("../hub/hub.ts");
  const onRequest = requestLog(log, (line) => void process.stdout.write(line));
  const door = { ...config.http, onFault: (error: unknown) => note(`HTTP: ${String(error)}`) };
  try {
    return await createHub({
      ...config,
      http: config.http === false ? false : onRequest === undefined ? door : { ...door, onRequest },
      onError: (error, where) => note(`${where} failed: ${String(error)}`),
    });
  } catch (error) {
    throw explainListening(error);
  }
}

function jsonBanner(hub: Hub, config: string | undefined): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ time, event: "listening", ...urlFields(hub), config })}\n`;
}

function textBanner(hub: Hub, config: string | undefined): string {
  const { httpUrl, urls, sessionUrl } = hub;
  const workers = urls.length > 0 || sessionUrl === undefined ? urls : [sessionUrl];
  const rows = ["lintel is up"];
  if (config !== undefined) rows.push(`  config   ${config}`);
  rows.push(...urlRows(hub, workers));
  const [url] = workers;
  if (url !== undefined) {
    const flag = url === DEFAULT_URL ? "" : ` --hub ${url}`;
    rows.push("try", `  lintel work greet${flag} -- cat`);
    if (httpUrl === undefined) rows.push(`  lintel request greet${flag} '{"name":"Ada"}'`);
    else rows.push(`  curl -d '{"name":"Ada"}' ${httpUrl}/greet`);
  }
  return `${rows.join("\n")}\n`;
}
