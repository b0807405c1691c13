import { LintelError } from "../../message/failure.ts";
import { originRule } from "../../transport/origins.ts";
import { headerOf } from "./parameters.ts";

const isOwnOrigin = originRule(undefined);

/**
 * Any page on the web may make a browser send requests to this machine: a poll would take a job that the page cannot even
 * read. Throws `FOREIGN_ORIGIN` for calls by pages of other hosts.
 */
export function checkOrigin(rawHeaders: readonly string[]): void {
  const site = headerOf(rawHeaders, "sec-fetch-site");
  const isOwnSite = site === undefined || site === "same-origin" || site === "none";
  const origin = headerOf(rawHeaders, "origin");
  if (isOwnSite && isOwnOrigin(origin, headerOf(rawHeaders, "host"))) return;
  throw new LintelError("permission_denied", "pages of other hosts may not take or answer jobs", {
    reason: "FOREIGN_ORIGIN",
  });
}
