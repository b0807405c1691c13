/** `HOST:PORT`, as options and flags have it: an address without a scheme. */
import { isLoopbackAddress } from "./host-names.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What `parseHostPort` takes, for messages. */
export const HOST_PORT_FORM =
  'HOST:PORT such as "127.0.0.1:8500" or "[::1]:8500", or a port alone (then on 127.0.0.1)';

const HOST_PORT = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):)?(\d{1,5})$/;

/** Host and port of `HOST:PORT`, `[V6]:PORT` or `PORT`. Port 0 means any free one. Undefined for anything else. */
export function parseHostPort(given: string | number): HostPort | undefined {
  const match = HOST_PORT.exec(String(given).trim());
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port <= 65_535 ? { host: match[1] ?? match[2] ?? "127.0.0.1", port } : undefined;
}

/** True for hosts that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || isLoopbackAddress(bare);
}
