/** Where a server of commands takes connections. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { LintelError } from "../../message/failure.ts";
import { formatAddress } from "../../transport/address.ts";
import { whyExposed } from "../../transport/exposure.ts";
import { HOST_PORT_FORM, parseHostPort, type HostPort } from "../../transport/host-port.ts";
import type { Listener } from "../../transport/transport.ts";
import { listenMessages } from "../../transport/ws/message-listener.ts";
import type { CommandLine } from "../line.ts";
import { listenSockets } from "../socket-listener.ts";
import { socketLine } from "../stream-line.ts";
import { webLine } from "../web-line.ts";
import type { ServerSettings } from "./options.ts";

/** Where to listen: `HOST:PORT`, or a port alone, then on 127.0.0.1. Port 0 is a free one. */
export interface CommandAddresses {
  /** WebSockets at `path`, and `/stats`. */
  readonly ws?: string | number;
  /** Commands over TCP. */
  readonly tcp?: string | number;
}

/** Where a server listens, with the ports that it really has. */
export interface CommandUrls {
  ws?: string;
  tcp?: string;
  stats?: string;
}

export type AcceptLine = (line: CommandLine, query?: URLSearchParams) => void;

/** Rejects with `INSECURE_LISTEN` where everybody who reaches the address could call everything. */
export async function checkAddress(url: string, settings: ServerSettings): Promise<void> {
  if (settings.insecure || settings.authenticate !== undefined) return;
  const why = await whyExposed(url);
  if (why === undefined) return;
  throw LintelError.of(
    "INSECURE_LISTEN",
    `${why}, and everybody may call everything at this server, since it has no \`authenticate\`: ` +
      "give it one, listen on 127.0.0.1, or set `insecure` to let everybody in",
  );
}

export function addressOf(name: string, given: string | number): HostPort {
  const address = parseHostPort(given);
  if (address === undefined)
    throw new LintelError("invalid_argument", `listen: ${name} is "${given}", it must be ${HOST_PORT_FORM}`);
  return address;
}

/** Listens for WebSockets. `stats` writes the text of the counts. */
export async function listenWeb(
  address: HostPort,
  settings: ServerSettings,
  accept: AcceptLine,
  stats: () => string,
): Promise<Listener> {
  const { tls, path, statsPath, connections } = settings;
  const url = `${tls === undefined ? "ws" : "wss"}://${formatAddress(address.host, address.port)}`;
  await checkAddress(url, settings);
  return listenMessages(url, (socket) => accept(webLine(socket), socket.query), {
    ...webOptions(settings),
    path,
    maxPayload: 2 * connections.maxCommand, // several commands may be in one message
    heartbeat: { clock: connections.clock, limits: HEARTBEAT },
    request: (request, response) => {
      if (statsPath === false || pathOf(request) !== statsPath) return false;
      answerStats(request, response, stats);
      return true;
    },
  });
}

/** Quiet time until a WebSocket is pinged, and until it is lost after that. Milliseconds. */
const HEARTBEAT = { heartbeat: 30_000, heartbeatTimeout: 30_000 };

function webOptions({
  tls,
  origins,
  hosts,
  onRefused,
}: ServerSettings): Pick<ServerSettings, "tls" | "origins" | "hosts" | "onRefused"> {
  return {
    ...(tls === undefined ? {} : { tls }),
    ...(origins === undefined ? {} : { origins }),
    ...(hosts === undefined ? {} : { hosts }),
    ...(onRefused === undefined ? {} : { onRefused }),
  };
}

function pathOf({ url = "/" }: IncomingMessage): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

function answerStats({ method }: IncomingMessage, response: ServerResponse, stats: () => string): void {
  if (method !== "GET" && method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD", "content-length": 0 }).end();
    return;
  }
  const body = stats();
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(method === "HEAD" ? undefined : body);
}

/** Listens for commands over TCP, or TLS where the server has certificates. */
export async function listenTcp(
  address: HostPort,
  settings: ServerSettings,
  accept: AcceptLine,
): Promise<Listener> {
  const { tls } = settings;
  const url = `${tls === undefined ? "tcp" : "tls"}://${formatAddress(address.host, address.port)}`;
  await checkAddress(url, settings);
  const take = (socket: Socket, remote: string): void => accept(socketLine(socket, remote));
  return listenSockets(url, take, tls === undefined ? {} : { tls });
}
