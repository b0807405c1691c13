import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { parseAddress } from "../../transport/address.ts";
import { clientTls } from "../../transport/tls-options.ts";
import { explainTls } from "../../transport/tls-errors.ts";
import type { TlsOptions } from "../../transport/transport.ts";
import type { CommandLine } from "../line.ts";
import { socketLine } from "../stream-line.ts";
import type { CommandTarget } from "./target.ts";

/** The server at `tcp://HOST:PORT` or `tls://HOST:PORT`. Undefined for another scheme. Throws a TypeError for no URL. */
export function socketTarget(url: string, tls: TlsOptions | undefined): CommandTarget | undefined {
  if (/^tcp:/i.test(url)) {
    const { host, port } = parseAddress(url, "tcp");
    return targetOf(url, "connect", () => connectTcp({ host, port, noDelay: true }));
  }
  if (!/^tls:/i.test(url)) return undefined;
  const { host, port } = parseAddress(url, "tls");
  const secure = clientTls(url, host, tls);
  const explain = (error: Error): Error => explainTls(error, tls?.serverName ?? host);
  return targetOf(
    url,
    "secureConnect",
    () => connectTls({ ...secure, host, port }).setNoDelay(true),
    explain,
  );
}

function targetOf(
  name: string,
  opened: "connect" | "secureConnect",
  connect: () => Socket,
  explain: (error: Error) => Error = (error) => error,
): CommandTarget {
  const dial = (signal: AbortSignal): Promise<CommandLine> =>
    new Promise((resolve, reject) => {
      const socket = connect();
      const settle = (): void => {
        signal.removeEventListener("abort", onAbort);
        socket.off("error", fail);
      };
      const fail = (error: Error): void => {
        settle();
        reject(explain(error));
      };
      const onAbort = (): void => {
        socket.destroy();
        fail(signal.reason as Error);
      };
      socket.on("error", fail);
      socket.once(opened, () => {
        settle();
        resolve(socketLine(socket, name));
      });
      signal.addEventListener("abort", onAbort, { once: true });
    });
  return { name, hasQuery: false, dial };
}
