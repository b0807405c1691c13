/** The place where the gateway meets the gateway for native sessions, of which it knows nothing else. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** Takes the native sessions that come to a port of HTTP. */
export interface SessionDoor {
  /** True while sessions are open that go on by making requests to the port: it must stay open for them. */
  readonly needsPort: boolean;
  /** Answers a request; false, with nothing touched, when it is not for sessions. */
  request(request: IncomingMessage, response: ServerResponse): boolean;
  /** Takes over the socket of a WebSocket handshake; false, with nothing touched, when it is not for sessions. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}
