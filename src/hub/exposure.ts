/** A hub that lets everybody do everything is for this machine only, unless its owner says otherwise. */
import { LintelError } from "../message/failure.ts";
import { urlText } from "../message/url-text.ts";
import { isLoopback } from "../transport/host-port.ts";

/** True for an address that other machines may reach. URLs without a host, such as of unix sockets, are of this machine. */
export function isExposed(url: string): boolean {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^:/?#]*)/i.exec(url)?.[1] ?? "";
  if (/^(?:unix|memory):/i.test(url)) return false;
  return host === "" ? /^[a-z][a-z0-9+.-]*:\/\/:/i.test(url) : !isLoopback(host);
}

/** Throws `INSECURE_LISTEN` for an address that other machines may reach. */
export function refuseExposed(url: string): void {
  if (!isExposed(url)) return;
  throw LintelError.of(
    "INSECURE_LISTEN",
    `other machines can reach ${urlText(url)}, and everybody may do everything at this hub, since it has no \`access\`: ` +
      "configure `access`, listen on 127.0.0.1, or set `insecure` to let everybody in",
  );
}
