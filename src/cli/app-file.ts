/** Programs of other people's that export a web app. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { LintelError } from "../message/failure.ts";
import { recogniseApp, type RecognisedApp } from "../app/index.ts";
import { CliError, Exit, usage } from "./failure.ts";

/** Names under which a module may export its app, in the order in which they are looked for. */
const NAMES = ["default", "app", "server", "handler", "fetch"] as const;

/** The app a file exports. Rejects with a usage error that says what is there instead. */
export async function loadApp(file: string): Promise<RecognisedApp> {
  const path = resolve(file);
  if (!existsSync(path)) throw usage(`there is no file ${path}`);
  const module = await load(path);
  const name = NAMES.find((one) => module[one] !== undefined && !isEmpty(module[one]));
  if (name === undefined) throw usage(`${file} exports no app: it should have an export default`, hint());
  try {
    return await recogniseApp(module[name]);
  } catch (error) {
    if (!(error instanceof LintelError)) throw error;
    throw usage(`what ${file} exports as ${name} cannot be served: ${error.message}`, hint());
  }
}

async function load(path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (cause) {
    const why = cause instanceof Error ? cause.stack : String(cause);
    throw new CliError(Exit.failed, "APP_FAILED", `${path} cannot be loaded: ${why}`, { cause });
  }
}

/** True when the app has opened a port by itself. */
export function hasPort(): boolean {
  return process.getActiveResourcesInfo().includes("TCPServerWrap");
}

/** What a CommonJS module that exports nothing has as its default. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0 && isPlain(value);
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

function hint(): string | undefined {
  return hasPort() ? "it listens on a port itself: export the app instead of calling listen()" : undefined;
}
