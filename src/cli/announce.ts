/** Where a hub can be reached, as the terminal shows it. */
import type { Hub } from "../hub/hub.ts";
import { isLoopback } from "../transport/host-port.ts";
import { note } from "./note.ts";
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

/** Warns of every URL that other machines can reach. */
export function warnOfStrangers(hub: Hub): void {
  const urls = [hub.httpUrl ?? [], hub.urls, others(hub).flatMap((gateway) => gateway.urls)].flat();
  for (const url of urls) {
    const { hostname } = URL.canParse(url) ? new URL(url) : { hostname: "" };
    if (hostname === "" || isLoopback(hostname)) continue;
    const text = `warning: ${url} is open to other machines, and there is no authentication yet`;
    note(paint(process.stderr, "yellow", text));
  }
}
