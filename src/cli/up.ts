import { openSync, closeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Option, type Command } from "commander";
import type { KeyOptions } from "../access/access-options.ts";
import { createKey, sha256Of } from "../access/keys/key.ts";
import type { FileConfig, Overrides } from "../config/config.ts";
import { createHub, type Hub } from "../hub/hub.ts";
import { LintelError } from "../message/failure.ts";
import { Guard } from "../supervisor/guard.ts";
import { openControl, type ControlListener } from "../supervisor/control.ts";
import { PipeSource } from "../supervisor/pipes.ts";
import { ReadinessTracker } from "../supervisor/readiness-tracker.ts";
import { RuntimeDirectory } from "../supervisor/runtime-directory.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { accessRow, urlRows } from "./announce.ts";
import { MANIFESTS, findConfigFile, projectOf, readConfigFile } from "./config-file.ts";
import { addConfigFlags, overridesOf } from "./config-flags.ts";
import { CliError, Exit, usage } from "./failure.ts";
import { note } from "./note.ts";
import { graceOption } from "./flags.ts";
import { explainListening } from "./listening.ts";
import { ManifestWatch } from "./manifest-watch.ts";
import { droppedLine, requestLog, type LogFormat } from "./request-log.ts";
import { ServiceOutput } from "./service-output.ts";
import { Stopping } from "./stopping.ts";
import { dropUnread } from "./unread-output.ts";

/** Besides those that set options of the configuration. */
interface Flags {
  readonly config?: string;
  readonly log: LogFormat;
  readonly grace: number;
}

const MAIN = fileURLToPath(new URL("main.js", import.meta.url));

const EXAMPLES = `
The manifest is lintel.yaml in the current directory, or else Astrofile; its \`services\` say what to start. Services find
the hub through the environment variable LINTEL_HUB, a unix socket in a private directory, so the file names no ports.
With \`access\` in the file they also get LINTEL_KEY, a key of this run with the role of a service.
A service that ends is restarted as its \`restart\` says. When the file changes, or on SIGHUP, services with a changed
definition are restarted; the others keep running.
SIGINT (Ctrl-C) or SIGTERM stops every service, with all its processes, and then the hub; a second signal kills all at once.
Use \`lintel ps\`, \`logs\`, \`restart\` and \`scale\` in another terminal.

Examples:
  lintel up
  lintel up --config examples/up/lintel.yaml
  lintel up --log off`;

export async function define(command: Command): Promise<void> {
  command
    .description("Start a hub and the services of a manifest, and keep them running.")
    .option("-c, --config <file>", `manifest (default: ${MANIFESTS.join(" or ")} in this directory)`);
  const sections = await addConfigFlags(command);
  command
    .addOption(
      new Option("--log <format>", "one line for each HTTP request").choices(["text", "off"]).default("text"),
    )
    .addOption(graceOption("time for requests under way at the hub after a signal"))
    .addHelpText("after", EXAMPLES)
    .action((flags: Flags) => up(flags, overridesOf(sections, { ...flags })));
}

async function up(flags: Flags, overrides: Overrides): Promise<void> {
  if (process.platform === "win32")
    throw usage("lintel up does not run on Windows, because it needs process groups");
  const file = flags.config ?? findConfigFile(...MANIFESTS);
  if (file === undefined)
    throw usage(`there is no ${MANIFESTS.join(" or ")} here`, "name a manifest with --config");
  const config = await readConfigFile(file, overrides);
  if (config.services === undefined || config.services.length === 0) {
    throw usage(`${file} has no services`, "`lintel serve` starts a hub without any");
  }
  const runtime = await claim(projectOf(file));
  const guard = new Guard(runtime.run);
  try {
    await runServices({ file, config, read: () => readConfigFile(file, overrides) }, flags, runtime);
  } finally {
    runtime.release();
    await guard.dismiss();
  }
}

async function claim(project: string): Promise<RuntimeDirectory> {
  try {
    return await RuntimeDirectory.claim(project);
  } catch (cause) {
    if (!(cause instanceof LintelError)) throw cause;
    const hint = cause.reason === "ALREADY_RUNNING" ? { hint: "`lintel ps` shows what it runs" } : {};
    throw new CliError(Exit.failed, cause.reason, cause.message, { ...hint, cause });
  }
}

/** The file, what it said, and how to read it again. */
interface Manifest {
  readonly file: string;
  readonly config: FileConfig;
  readonly read: () => Promise<FileConfig>;
}

async function runServices(
  { file, config, read }: Manifest,
  { log, grace }: Flags,
  runtime: RuntimeDirectory,
): Promise<void> {
  const readiness = new ReadinessTracker();
  const output = new ServiceOutput();
  dropUnread(process.stdout, (lines) => output.behind("hub", droppedLine("text", lines, new Date())));
  const pipes = new PipeSource();
  const key = config.access === undefined ? undefined : createKey();
  const hub = await startHub(withKey(config, key), log, readiness, output);
  const supervisor = new Supervisor({
    run: runtime.run,
    httpUrl: hub.httpUrl,
    key,
    pipes,
    readiness,
    lintel: [process.execPath, MAIN],
    openListener: () => hub.listen(runtime.socketUrl()),
    onLine: (line) => output.write(output.line(line)),
    onError: (error) => note(`cannot change the services: ${String(error)}`),
    onState: ({ status }) => {
      const event = output.event(status);
      if (event !== undefined) note(event);
    },
  });
  using stopping = new Stopping(() => {
    supervisor.kill();
    runtime.release();
  });
  let control: ControlListener | undefined;
  let watch: ManifestWatch | undefined;
  const onHangUp = (): void => {
    if (stopping.signal.aborted) return; // a terminal that is closed says so more than once
    if (hasTerminal()) watch?.check(true);
    else process.kill(process.pid, "SIGTERM");
  };
  process.on("SIGHUP", onHangUp);
  try {
    await pipes.ready; // else all services would take their sockets before the first has its pipes
    control = await openControl(runtime.controlUrl, supervisor, hub.httpUrl);
    watch = new ManifestWatch(file, config, (next) => reload(supervisor, next), read);
    process.stdout.write(banner(hub, config, file));
    supervisor.apply(config.services ?? []);
    void supervisor.ready().then(() => stopping.signal.aborted || note("every service is ready"));
    await stopping.stopped();
    note("stopping; a second signal ends at once");
  } finally {
    watch?.close();
    await supervisor.stop();
    await control?.close();
    await hub.drain({ graceMs: grace });
    pipes.close();
    process.off("SIGHUP", onHangUp);
  }
}

/** The services of the file may do all that services may: a key of this run, which they have in LINTEL_KEY, says who they are. */
function withKey(config: FileConfig, key: string | undefined): FileConfig {
  if (key === undefined) return config;
  const own: KeyOptions = { name: "lintel-up", role: "service", sha256: sha256Of(key) };
  return { ...config, access: { ...config.access, keys: [...(config.access?.keys ?? []), own] } };
}

async function startHub(
  { services: _, ...config }: FileConfig,
  log: LogFormat,
  readiness: ReadinessTracker,
  output: ServiceOutput,
): Promise<Hub> {
  const onRequest = requestLog(log, (line) => output.write(output.behind("hub", line)));
  const http = { ...config.http, onFault: (error: unknown) => note(`HTTP: ${String(error)}`) };
  try {
    return await createHub({
      listen: [], // services come by sockets of their own
      ...config,
      http: config.http === false ? false : onRequest === undefined ? http : { ...http, onRequest },
      onService: readiness.note,
      onPoll: readiness.notePoll,
      onError: (error, where) => note(`${where} failed: ${String(error)}`),
    });
  } catch (error) {
    throw explainListening(error);
  }
}

/** Applies a manifest that has changed, and tells what that does. */
function reload(supervisor: Supervisor, { services = [] }: FileConfig): void {
  const changes = Object.entries(supervisor.apply(services));
  for (const [what, names] of changes) if (names.length > 0) note(`${what}: ${names.join(", ")}`);
}

/** False once the terminal we were started from is gone: then SIGHUP means that, and not "read the file again". */
function hasTerminal(): boolean {
  if (!process.stdout.isTTY && !process.stderr.isTTY) return true; // there never was one
  try {
    closeSync(openSync("/dev/tty", "r+"));
    return true;
  } catch {
    return false; // ENXIO: hung up
  }
}

function banner(hub: Hub, config: FileConfig, file: string): string {
  return `${["lintel is up", `  manifest ${file}`, ...urlRows(hub, hub.urls), accessRow(config)].join("\n")}\n`;
}
