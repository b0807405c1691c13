/** Where a hub can be reached, as the terminal shows it. */
import type { Hub } from "../hub/hub.ts";
import type { AccessOptions } from "../access/access-options.ts";
import type { FileConfig } from "../config/config.ts";
import { paint } from "./paint.ts";

/** Gateways that every hub has, and that are shown in a way of their own. */
const SHOWN_FIRST: ReadonlySet<string> = new Set(["http", "native"]);

/** Each gateway with an address, but for HTTP and sessions. */
function others({ gateways }: Hub): Hub["gateways"] {
  return gateways.filter(({ name, urls }) => urls.length > 0 && !SHOWN_FIRST.has(name));
}

/** A row for each URL: HTTP, then `workers`, where sessions connect, then each other gateway by its name. */
export function urlRows(hub: Hub, workers: readonly string[]): string[] {
  const row = (label: string, url: string): string =>
    `  ${label.padEnd(8)} ${paint(process.stdout, "bold", url)}`;
  return [
    ...(hub.httpUrl === undefined ? [] : [row("http", hub.httpUrl)]),
    ...workers.map((url) => row("workers", url)),
    ...others(hub).flatMap(({ name, urls }) => urls.map((url) => row(name, url))),
  ];
}

/** The same for programs: one URL as text, several as a list. */
export function urlFields(hub: Hub): Readonly<Record<string, unknown>> {
  return {
    http: hub.httpUrl,
    listen: hub.urls,
    sessions: hub.sessionUrl,
    ...Object.fromEntries(others(hub).map(({ name, urls }) => [name, urls.length === 1 ? urls[0] : urls])),
  };
}

/** What the configuration says of who may do what. */
type Openness = Pick<FileConfig, "access" | "insecure">;

/** Who may do what, in a line. */
export function accessRow({ access, insecure = false }: Openness): string {
  const row = (text: string): string => `  access   ${text}`;
  if (access !== undefined) return row(admittedBy(access));
  if (!insecure)
    return row("every program of this machine may do everything; `access` in lintel.yaml changes that");
  return row(
    paint(process.stdout, "yellow", "INSECURE: everybody who can reach these addresses may do everything"),
  );
}

/** The same for programs. */
export function accessFields({ access, insecure = false }: Openness): Readonly<Record<string, unknown>> {
  if (access === undefined) return { access: insecure ? "insecure" : "this machine" };
  const { anonymous = "none", keys = [], keysFile, jwt, certificates = [], unix = [] } = access;
  const issuer = jwt?.issuer;
  return {
    access: {
      anonymous,
      keys: keys.length,
      keysFile,
      issuer,
      certificates: certificates.length,
      unix: unix.length,
    },
  };
}

function admittedBy({
  anonymous = "none",
  keys = [],
  keysFile,
  jwt,
  certificates,
  unix,
}: AccessOptions): string {
  const ways = [
    ...(keys.length === 0 ? [] : [keys.length === 1 ? "one key" : `${keys.length} keys`]),
    ...(keysFile === undefined ? [] : [`keys of ${keysFile}`]),
    ...(jwt === undefined ? [] : [`tokens of ${[jwt.issuer].flat().join(", ")}`]),
    ...(certificates === undefined ? [] : ["certificates"]),
    ...(unix === undefined ? [] : ["users of this machine"]),
  ];
  const rest = anonymous === "none" ? "nobody else" : `everybody else as a ${anonymous}`;
  return [...ways, rest].join("; ");
}
