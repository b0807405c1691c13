/** `lintel/commands` in Node: also over TCP and TLS, and with programs that speak over their standard input and output. */
import { urlText } from "../message/url-text.ts";
import { bareHost } from "../transport/address.ts";
import { clientTls } from "../transport/tls-options.ts";
import type { TlsOptions } from "../transport/transport.ts";
import type { Actions, AnyActions } from "./client/actions.ts";
import type { CommandClientOptions } from "./client/client-options.ts";
import type { CommandClient } from "./client/command-client.ts";
import type { CommandRouter } from "./client/command-router.ts";
import { connectRouterTo, connectTo } from "./client/connect.ts";
import type { HostRule } from "./client/host-rules.ts";
import { programTarget, type CommandProgram } from "./client/program-target.ts";
import { socketTarget } from "./client/socket-target.ts";
import { urlTarget, type CommandTarget } from "./client/target.ts";
import { webTarget } from "./client/web-target.ts";
import { openWebSocketLine } from "./client/websocket-line.ts";

export * from "./client/api.ts";
export type { CommandProgram } from "./client/program-target.ts";
export type { Authenticate } from "./server/authentication.ts";
export type { CommandAddresses, CommandUrls } from "./server/listening.ts";
export type { CommandServerOptions } from "./server/options.ts";
export { createCommandServer, type CommandServer, type CommandStats } from "./server/server.ts";
export type { ChildPipes } from "./stream-line.ts";
export type { ActionCounts } from "./counts.ts";
export type { TlsOptions } from "../transport/transport.ts";

export interface ConnectCommandsOptions extends CommandClientOptions {
  /** Certificates, for `wss:` and `tls:`. */
  readonly tls?: TlsOptions;
}

/**
 * Connects to a server of commands, for example at `tcp://127.0.0.1:12001` or `ws://127.0.0.1:12000/socket`, or starts a program that
 * is one. After a lost connection it connects again, or starts the program again, without a limit of attempts; in the meantime
 * calls fail at once. Rejects with `NOT_CONNECTED` if there is no first connection in time, with `UNAUTHENTICATED` when the token is
 * refused, and with a TypeError for an illegal URL.
 */
export async function connectCommands<
  Remote extends Actions<Remote> = AnyActions,
  Local extends Actions<Local> = AnyActions,
>(
  server: string | CommandProgram,
  { tls, ...options }: ConnectCommandsOptions = {},
): Promise<CommandClient<Remote, Local>> {
  const target = typeof server === "object" ? programTarget(server) : targetsWith(tls)(server);
  return connectTo(target, options);
}

/**
 * Connects to several servers, and sends each command to one of the hosts that a rule names for its action. Rejects with
 * `NOT_CONNECTED` when a rule has no host that can be reached in time.
 */
export async function connectCommandRouter<
  Remote extends Actions<Remote> = AnyActions,
  Local extends Actions<Local> = AnyActions,
>(
  rules: readonly HostRule[],
  { tls, ...options }: ConnectCommandsOptions = {},
): Promise<CommandRouter<Remote, Local>> {
  return connectRouterTo(rules, targetsWith(tls), options);
}

function targetsWith(tls: TlsOptions | undefined): (url: string) => CommandTarget {
  return urlTarget(
    (url) => webTargetWith(url, tls) ?? socketTarget(url, tls),
    "ws://HOST:PORT/PATH",
    "wss://HOST:PORT/PATH",
    "tcp://HOST:PORT",
    "tls://HOST:PORT",
  );
}

function webTargetWith(given: string, tls: TlsOptions | undefined): CommandTarget | undefined {
  const isSecure = /^wss:/i.test(given) && URL.canParse(given);
  const secure = isSecure ? clientTls(urlText(given), bareHost(new URL(given)), tls) : {};
  return webTarget(given, async (url, signal) => {
    const { WebSocket } = await import("ws"); // only where it is needed
    const websocket = new WebSocket(url, { ...secure, perMessageDeflate: false, followRedirects: false });
    return openWebSocketLine(websocket, url, signal);
  });
}
