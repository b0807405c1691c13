/** The parts of a config file that say who may connect: certificates, origins, and the URLs to listen on. */
import { urlText } from "../message/url-text.ts";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { MAX_TIMEOUT } from "../message/limits.ts";
import { checkAccess } from "../transport/origins.ts";
import { serverTls } from "../transport/tls-options.ts";
import type { TlsOptions } from "../transport/transport.ts";
import { boolean, duration, list, map, text, type Shape } from "./shape.ts";
import type { ListenAt } from "../transport/transport.ts";

/** Origins of web pages, as browsers write them. */
export const origins: Shape<string[]> = list(
  "origins",
  text("an origin", (origin) => checkAccess({ origins: [origin] })),
);

/** Names by which a listener may be asked. */
export const hosts: Shape<string[]> = list(
  "hosts",
  text("a host", (host) => checkAccess({ hosts: [host] })),
);

/** Certificates, which stand in files next to the config file, or wherever their paths lead from `directory`. */
export function tls(directory: string): Shape<TlsOptions> {
  const pem = (name: string): Shape<string> => {
    const path = text(name);
    return (node, report) => {
      const file = path(node, report);
      if (file === undefined) return undefined;
      try {
        return readFileSync(resolve(directory, file), "utf8");
      } catch (error) {
        report(node, `${name}: cannot read ${file}: ${messageOf(error)}`);
        return undefined;
      }
    };
  };
  const fields = map(
    "tls",
    {
      cert: pem("cert"),
      key: pem("key"),
      ca: pem("ca"),
      requireClientCert: boolean("requireClientCert"),
    },
    ["cert", "key"],
  );
  return (node, report) => {
    const options = fields(node, report);
    if (options?.cert === undefined || options.key === undefined) return undefined; // said already
    try {
      serverTls("tls", options);
      return options;
    } catch (error) {
      report(node, messageOf(error));
      return undefined;
    }
  };
}

/** URLs, or maps with one and what it needs besides. */
export function listen(directory: string): Shape<(string | ListenAt)[]> {
  const url = text("listen", checkUrl);
  const fields = map(
    "an entry of listen",
    {
      url: text("url", checkUrl),
      tls: tls(directory),
      origins,
      hosts,
      handshakeTimeout: duration("handshakeTimeout", MAX_TIMEOUT),
    },
    ["url"],
  );
  const entry: Shape<string | ListenAt> = (node, report) => {
    if (node.kind !== "map") return url(node, report);
    const { url: at, handshakeTimeout, ...options } = fields(node, report) ?? {};
    if (at === undefined) return undefined;
    const time = handshakeTimeout === undefined ? {} : { handshakeTimeoutMs: handshakeTimeout };
    return { url: at, ...options, ...time };
  };
  return list("listen", entry);
}

function checkUrl(url: string): void {
  if (!/^[a-z][a-z0-9+.-]*:./.test(url))
    throw new RangeError(`"${urlText(url)}" is no URL such as tcp://127.0.0.1:4500`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
