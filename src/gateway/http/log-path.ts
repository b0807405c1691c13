/** Paths as a log may show them. */

const AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i;
/** Below these paths the hub hands out ids, with which one may fetch an answer or write into a session. */
const OWN = /(\/\.lintel\/[a-z]+\/).+$/is;

/**
 * What a log may show of a request target that led nowhere, or to the hub itself: no query, no host and what stands before
 * it, and no id that is all one needs. `shown` does the same for the paths of an API.
 */
export function logPath(target: string, shown: (path: string) => string): string {
  const [cut = ""] = target.split(/[?#]/, 1);
  const path = cut.startsWith("/") ? cut : cut.replace(AUTHORITY, "");
  const masked = shown(path.replace(OWN, "$1*"));
  if (masked !== path || !path.includes("%")) return masked;
  const decoded = decode(path);
  const plain = shown(decoded.replace(OWN, "$1*"));
  return plain === decoded ? path : plain;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // it stands for nothing known
  }
}
