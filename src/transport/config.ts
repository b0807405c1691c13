/** Options of listeners, as the configuration has them. Loaded only where a file, variables or flags are read. */
import { readFileSync } from "node:fs";
import { urlText } from "../message/url-text.ts";
import {
  boolean,
  either,
  hinted,
  list,
  literal,
  map,
  option,
  scalar,
  text,
  turned,
  type Field,
} from "../schema/fields.ts";
import { HOST_PORT_FORM, parseHostPort } from "./host-port.ts";
import { checkAccess } from "./origins.ts";
import { serverTls } from "./tls-options.ts";
import type { TlsOptions } from "./transport.ts";

/** `HOST:PORT`, or a port alone. */
export function hostPort(): Field<string | number> {
  return scalar(
    HOST_PORT_FORM,
    { type: "integer", minimum: 0, maximum: 65_535 },
    { type: "string", pattern: "^\\s*(?:(?:\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+):)?\\d{1,5}\\s*$" },
    (given) => (parseHostPort(given) === undefined ? undefined : given),
  );
}

/** A URL to listen on. */
export function listenUrl(): Field<string> {
  return text(
    (url) => {
      if (!/^[a-z][a-z0-9+.-]*:./.test(url))
        throw new RangeError(`"${urlText(url)}" is not a URL such as tcp://127.0.0.1:4500`);
    },
    { pattern: "^[a-z][a-z0-9+.-]*:." },
  );
}

/** Origins of web pages, as browsers write them. */
export function origins(): Field<string[]> {
  return list(
    hinted(
      text((origin) => checkAccess({ origins: [origin] })),
      { title: "an origin" },
    ),
  );
}

/** Names by which a listener may be asked. */
export function hosts(): Field<string[]> {
  return list(
    hinted(
      text((host) => checkAccess({ hosts: [host] })),
      { title: "a host" },
    ),
  );
}

/** The part of `TlsOptions` that is for listening. */
interface ServerTlsOptions {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly requireClientCert?: boolean;
}

/** The part of `TlsOptions` that is for dialing. */
type DialTlsOptions = { readonly [K in "ca" | "cert" | "key" | "serverName"]?: string };

/** Certificates for an outgoing connection. */
export function dialTls(): Field<TlsOptions> {
  const pem = (): Field<string> => hinted(text(readPem), { isPath: true });
  const fields = map<DialTlsOptions>("tls", {
    ca: option("file with the authorities that may have signed the other end's certificate", pem()),
    cert: option("file with this end's certificate, if the other end requires one", pem()),
    key: option("file with its private key", pem()),
    serverName: option("the name in the other end's certificate, if it is not the host of the URL", text()),
  });
  return turned(fields, ({ serverName, ...files }, findings) => {
    if ((files.cert === undefined) !== (files.key === undefined)) {
      findings.add("cert and key go together");
      return undefined;
    }
    const texts = Object.entries(files).map(([name, file]) => [name, readPem(file)]);
    return {
      ...Object.fromEntries(texts),
      ...(serverName === undefined ? {} : { serverName }),
    };
  });
}

/** Certificates. Each is PEM text as in code, or the path of a file that has it. */
export function tls(): Field<TlsOptions> {
  const pem = (): Field<string> => hinted(text(readPem), { isPath: true });
  const fields = map<ServerTlsOptions>(
    "tls",
    {
      cert: option("file with the hub's certificate and its chain up to the authority", pem()),
      key: option("file with its private key", pem()),
      ca: option(
        "file with the authorities that sign client certificates; with it clients are asked for one",
        pem(),
      ),
      requireClientCert: option("refuse clients without a certificate signed by `ca`", boolean(), "`false`"),
    },
    ["cert", "key"],
  );
  return turned(fields, ({ requireClientCert, ...files }, findings) => {
    const texts = Object.entries(files).map(([name, file]) => [name, readPem(file)]);
    const options: TlsOptions = {
      ...Object.fromEntries(texts),
      ...(requireClientCert === undefined ? {} : { requireClientCert }),
    };
    try {
      serverTls("tls", options);
      return options;
    } catch (error) {
      findings.add(messageOf(error));
      return undefined;
    }
  });
}

/** Certificates, or false for none. */
export function tlsOrNone(): Field<TlsOptions | false> {
  return either("false, or a map with certificates", literal(false), tls());
}

/** The text of a file; PEM text as it is. Throws for a file that cannot be read. */
export function readPem(file: string): string {
  if (file.includes("-----BEGIN")) return file;
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Error(`cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
