/** Which hub a command connects to, and with which certificates: the flags of all commands that do. */
import { Option, type Command } from "commander";
import { DEFAULT_URL } from "../transport/default-url.ts";
import type { PemName } from "../transport/tls-options.ts";
import type { TlsOptions } from "../transport/transport.ts";
import { usage } from "./failure.ts";
import { parseUrl } from "./flags.ts";
import { isReadByOthers, keyOfEnvironment, keyOfFile } from "./key-file.ts";
import { note } from "./note.ts";
import { readPem } from "./pem-file.ts";
import { isLoopbackHost, nameOfHost } from "../transport/host-names.ts";
import { urlText } from "../message/url-text.ts";

export interface HubFlags {
  readonly hub: string;
  /** What the files of `--tls-ca`, `--tls-cert` and `--tls-key` hold. */
  readonly tls?: TlsOptions;
  /** The key to show to the hub. A file is read anew for each attempt to connect, so that keys can be rotated. */
  readonly key?: string | (() => string);
}

interface PemFlag {
  readonly name: PemName;
  /** Where its value is among the command's. */
  readonly key: string;
  readonly flag: string;
  readonly variable: string;
  readonly about: string;
}

const PEM_FLAGS: readonly PemFlag[] = [
  {
    name: "ca",
    key: "tlsCa",
    flag: "--tls-ca",
    variable: "LINTEL_TLS_CA",
    about: "authority that signed the hub's certificate, in PEM, instead of the system's list",
  },
  {
    name: "cert",
    key: "tlsCert",
    flag: "--tls-cert",
    variable: "LINTEL_TLS_CERT",
    about: "this client's certificate in PEM, if the hub requires one",
  },
  {
    name: "key",
    key: "tlsKey",
    flag: "--tls-key",
    variable: "LINTEL_TLS_KEY",
    about: "private key of the certificate, in PEM",
  },
];

/** `--hub URL`, else LINTEL_HUB, else the default; the files of certificates for URLs with TLS, and of the key. */
export function addHubFlags(command: Command): Command {
  command.addOption(
    new Option("--hub <url>", "the hub to connect to")
      .env("LINTEL_HUB")
      .default(DEFAULT_URL)
      .argParser(parseUrl),
  );
  for (const { flag, variable, about } of PEM_FLAGS)
    command.addOption(new Option(`${flag} <file>`, about).env(variable));
  command.addOption(
    new Option("--key-file <file>", "file with the key to show to the hub; or set LINTEL_KEY").env(
      "LINTEL_KEY_FILE",
    ),
  );
  return command.hook("preAction", async () => {
    command.setOptionValue("tls", await readTls(command));
    command.setOptionValue("key", readKey(command));
  });
}

/** True for URLs with TLS. Throws a TypeError for one of a scheme that is unknown. */
export async function isEncrypted(url: string): Promise<boolean> {
  const { TransportRegistry } = await import("../transport/registry.ts");
  return (await new TransportRegistry().for(url)).supports.encrypted;
}

function readKey(command: Command): HubFlags["key"] {
  const { hub, keyFile = "" } = command.opts<{ readonly hub: string; readonly keyFile?: string }>();
  const isFlag = command.getOptionValueSource("keyFile") === "cli";
  const ofEnvironment = isFlag ? undefined : keyOfEnvironment();
  if (ofEnvironment === undefined && keyFile === "") return undefined;
  if (/^(?:ws|h2c|http1|tcp):/.test(hub) && !isLocal(hub))
    note(`the key goes to ${urlText(hub)} without encryption; use a URL with TLS`);
  if (ofEnvironment !== undefined) return ofEnvironment;
  const source = isFlag ? "--key-file" : "LINTEL_KEY_FILE";
  keyOfFile(source, keyFile); // so that a mistake in it is known before anything is dialed
  if (isReadByOthers(keyFile)) note(`other users of this machine can read ${keyFile}; chmod 600 it`);
  return () => keyOfFile(source, keyFile);
}

function isLocal(url: string): boolean {
  const name = nameOfHost(URL.canParse(url) ? new URL(url).host : "");
  return name !== undefined && isLoopbackHost(name);
}

async function readTls(command: Command): Promise<TlsOptions | undefined> {
  const { hub, ...values } = command.opts<{ readonly hub: string } & Readonly<Record<string, string>>>();
  const fromFlag = ({ key }: PemFlag): boolean => command.getOptionValueSource(key) === "cli";
  const given = PEM_FLAGS.filter((one) => fromFlag(one) || Boolean(values[one.key]));
  if (given.length === 0) return undefined;
  if (!(await hasTls(hub))) {
    // Variables are for every hub of an environment, with services of `lintel up` that come by a unix socket among them.
    const flag = given.find(fromFlag)?.flag;
    if (flag === undefined) return undefined;
    throw usage(`${flag} is for URLs with TLS (tls, wss, h2, http1s), which ${hub} is not`);
  }
  if (given.filter(({ name }) => name !== "ca").length === 1)
    throw usage("--tls-cert and --tls-key go together");
  const read = (one: PemFlag): [PemName, string] => {
    const source = fromFlag(one) ? one.flag : one.variable;
    return [one.name, readPem(source, one.name, values[one.key] ?? "")];
  };
  return Object.fromEntries(given.map(read));
}

async function hasTls(url: string): Promise<boolean> {
  try {
    return await isEncrypted(url);
  } catch (error) {
    if (error instanceof TypeError) throw usage(error.message);
    throw error;
  }
}
