/** Which web pages may connect. Browsers let any page send to any host, so the host must look at the origin. */

import { refuseWith, type Refusal } from "./problem.ts";

/** The answer to a page of another origin. */
export const FOREIGN_ORIGIN: Refusal = refuseWith(
  "permission_denied",
  "pages of this origin may not connect; the listener's option `origins` says which may",
  { reason: "FOREIGN_ORIGIN" },
);

/** Checks an Origin header, given the Host header of the same request. */
export type OriginRule = (origin: string | undefined, host: string | undefined) => boolean;

/** The rule for a list of origins, or for none. Throws a TypeError for what a browser would never send. */
export function originRule(origins: readonly string[] | undefined): OriginRule {
  if (origins === undefined) return (origin, host) => origin === undefined || isSameHost(origin, host);
  for (const origin of origins) {
    if (origin !== "*" && parseOrigin(origin) === undefined) {
      throw new TypeError(`"${origin}" is no origin such as https://app.example.com, nor "*"`);
    }
  }
  const allowed = new Set(origins);
  return (origin) => origin === undefined || allowed.has("*") || allowed.has(origin);
}

/** An origin exactly as browsers write it: scheme, host, and the port where it is not the scheme's own. */
function parseOrigin(origin: string): URL | undefined {
  const parsed = URL.canParse(origin) ? new URL(origin) : undefined;
  const isWeb = parsed?.protocol === "https:" || parsed?.protocol === "http:";
  // There is no pattern within an origin; a star in one is a mistake.
  return isWeb && parsed.origin === origin && !origin.includes("*") ? parsed : undefined;
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const from = parseOrigin(origin);
  if (from === undefined || host === undefined) return false;
  // The scheme is the origin's: a proxy in front may have taken TLS off.
  const to = `${from.protocol}//${host}`;
  return URL.canParse(to) && new URL(to).host === from.host;
}
