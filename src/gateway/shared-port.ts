/**
 * What gateways put on the HTTP port, which is not theirs: an API with paths of its own (`http-api.ts`), or connections
 * that begin as HTTP requests and become sessions. The HTTP gateway reads both when it opens a port or a handler, and
 * knows nothing else of them.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { AccessRule } from "../transport/origins.ts";
import type { HttpApi } from "./http-api.ts";

/** Takes the sessions that come to one port of HTTP. */
export interface PortSessions {
  /** True while sessions are open that go on by making requests to the port: it must stay open for them. */
  readonly needsPort: boolean;
  /** Answers a request; false, with nothing touched, when it is not for sessions. */
  request(request: IncomingMessage, response: ServerResponse): boolean;
  /** Takes over the socket of a WebSocket handshake; false, with nothing touched, when it is not for sessions. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}

/** One port or handler of HTTP, as the code that puts sessions on it sees it. */
export interface PortPlace {
  /** What the paths begin with: empty for the root. */
  readonly base: string;
  /** True for the hub's own port, where nothing else is at `/`. */
  readonly atRoot: boolean;
  /** Which web pages may connect, and to which host. */
  readonly access: AccessRule;
}

/** What is on the HTTP port of a hub. To be filled before the port is opened. */
export class SharedPort {
  readonly #apis: HttpApi[] = [];
  readonly #openers: ((place: PortPlace) => PortSessions)[] = [];

  /** Puts an API on the port. Of several, the first that claims a path has it. */
  addApi(api: HttpApi): void {
    this.#apis.push(api);
  }

  /** Puts sessions on the port: `open` is called for the port, and for each handler of the hub. */
  addSessions(open: (place: PortPlace) => PortSessions): void {
    this.#openers.push(open);
  }

  get apis(): readonly HttpApi[] {
    return this.#apis;
  }

  /** The sessions of one port or handler; undefined when there are none to come. */
  sessionsAt(place: PortPlace): PortSessions | undefined {
    const all = this.#openers.map((open) => open(place));
    if (all.length < 2) return all[0];
    return {
      get needsPort(): boolean {
        return all.some((one) => one.needsPort);
      },
      request: (request, response) => all.some((one) => one.request(request, response)),
      upgrade: (request, socket, head) => all.some((one) => one.upgrade(request, socket, head)),
    };
  }
}
