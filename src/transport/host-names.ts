/** Host names as the Host header has them, and which of them mean this machine. */

/** Longer than any name, and a port. */
const MAX_HOST = 300;

/**
 * The name in a Host header, without the port, as browsers write it: lower case, addresses in their one form, and no dot at
 * the end. Undefined when it is none.
 */
export function nameOfHost(host: string): string | undefined {
  if (host.length > MAX_HOST || /[/?#@\\\s]/.test(host) || !URL.canParse(`http://${host}`)) return undefined;
  const { hostname } = new URL(`http://${host}`);
  return hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
}

/** True for a name, in the form of `nameOfHost`, that cannot be made to point to another machine. */
export function isLoopbackHost(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  return name.startsWith("[") ? isLoopbackAddress(name.slice(1, -1)) : isLoopbackV4(name);
}

/** True for an address of this machine's loopback network. */
export function isLoopbackAddress(address: string): boolean {
  if (address === "::1" || isLoopbackV4(address)) return true;
  const mapped = /^::ffff:(.+)$/i.exec(address)?.[1];
  return mapped !== undefined && (isLoopbackV4(mapped) || /^7f[0-9a-f]{2}:[0-9a-f]{1,4}$/i.test(mapped));
}

function isLoopbackV4(address: string): boolean {
  return /^127(?:\.[0-9]{1,3}){3}$/.test(address);
}
