/** What the URL of a stream socket says. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads `SCHEME://HOST:PORT`. Throws a TypeError that gives this form. */
export function parseAddress(url: string, scheme: string): Address {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (
    parsed === undefined ||
    parsed.protocol !== `${scheme}:` ||
    parsed.hostname === "" ||
    parsed.port === ""
  ) {
    throw new TypeError(`"${url}" is not of the form ${scheme}://HOST:PORT`);
  }
  return { host: bareHost(parsed), port: Number(parsed.port) };
}

/** The host of a URL, an IPv6 address without its brackets. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** `HOST:PORT` as it is written in a URL. */
export function formatAddress(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Refuses options that mean nothing to the transport of this URL: who gives certificates to a transport that does not
 * use them must not believe that they protect anything.
 */
export function refuseOptions<T extends object>(
  url: string,
  options: T,
  ...names: (keyof T & string)[]
): void {
  for (const name of names) {
    if (options[name] !== undefined) throw new TypeError(`${url} has no use for "${name}"`);
  }
}
