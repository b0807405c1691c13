/** Requests with an `Upgrade` header, which node treats differently as soon as there is a listener for them. */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { namedByConnection } from "./hop-by-hop.ts";

/** True when the upgrade that is asked for is to a WebSocket. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * Serves a request as if it had asked for no upgrade, which is what node does without a listener: to HTTP/2, for example, which
 * some clients always offer. Node has let go of the socket, so the request is written down again, without the offer, and
 * given back to the server with all that follows it.
 */
export function serveWithoutUpgrade(
  server: Server,
  request: IncomingMessage,
  socket: Duplex,
  rest: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = request;
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    const value = valueWithout(name.toLowerCase(), rawHeaders[index + 1]!);
    if (value !== "") head += `${name}: ${value}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), rest]));
  server.emit("encrypted" in socket ? "secureConnection" : "connection", socket);
}

/** The value of a header without what offers an upgrade. */
function valueWithout(name: string, value: string): string {
  if (name === "upgrade") return "";
  if (name !== "connection") return value;
  const others = namedByConnection(value);
  others.delete("upgrade");
  return [...others].join(", ");
}
