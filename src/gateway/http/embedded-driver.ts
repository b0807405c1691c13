/** The driver of a request that an app's own server has received: one request, without access to its connection. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../runtime/clock.ts";
import type { AccessRule, ListenerAddress } from "../../transport/origins.ts";
import { certificateOf } from "../../transport/peer-certificate.ts";
import type { PeerCertificate } from "../../message/peer-identity.ts";
import type { Delivery } from "../http-api.ts";
import type { Exchange, ConnectionDriver, Outgoing } from "./connection.ts";
import { Deliveries } from "./deliveries.ts";
import type { Problem } from "./problem.ts";
import type { PortSessions } from "../shared-port.ts";
import { LINGER_MS, breakOff } from "./socket-driver.ts";

export interface EmbeddedDriverOptions {
  readonly base: string;
  readonly access: AccessRule;
  readonly clock: Clock;
  readonly sessions: PortSessions | undefined;
}

export class EmbeddedDriver implements ConnectionDriver {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: EmbeddedDriverOptions;
  #linger: unknown;
  #deliveries: Deliveries | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, options: EmbeddedDriverOptions) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
  }

  get base(): string {
    return this.#options.base + mountOf(this.#request);
  }

  get at(): ListenerAddress {
    return this.#options.access.addressOf(this.#request.socket);
  }

  get isOpen(): boolean {
    const { socket } = this.#request;
    return socket.writable && !socket.readableEnded;
  }

  get remote(): string | undefined {
    return this.#request.socket.remoteAddress;
  }

  get certificate(): PeerCertificate | undefined {
    return certificateOf(this.#request.socket);
  }

  get isSecure(): boolean {
    return "encrypted" in this.#request.socket;
  }

  pause(): void {
    // there is one request; the server reads the others
  }

  resume(): void {
    // as above
  }

  cut(): void {
    this.#request.socket.destroy();
  }

  end(_response: Outgoing, isWhole: boolean): void {
    if (!isWhole) breakOff(this.#response, this.#request.socket); // else it is the server's to close
  }

  ended(): void {
    // the server does not answer a caller that has ended its side
  }

  watch(_response: Outgoing, delivery: Delivery): void {
    this.#deliveries ??= new Deliveries(this.#request.socket, false);
    this.#deliveries.watch(this.#response, delivery);
  }

  /**
   * Node closes the connection as soon as the response is complete, and a reset could overtake it while the caller is
   * still sending. So the problem is sent, and completed when all has come, or after a while.
   */
  refuse({ status, headers, body }: Problem): void {
    const request = this.#request;
    const response = this.#response;
    response.writeHead(status, [...headers, "Connection", "close"]);
    if (request.complete) {
      response.end(body);
      return;
    }
    response.write(body);
    const complete = (): void => void response.end();
    request.once("end", complete);
    this.#linger = this.#options.clock.after(LINGER_MS, complete);
  }

  handOver({ connection }: Exchange): boolean {
    if (this.#options.sessions?.request(this.#request, this.#response) !== true) return false;
    connection.state = "taken";
    return true;
  }

  closed(): void {
    this.#deliveries?.closed();
    if (this.#linger !== undefined) this.#options.clock.clear(this.#linger);
  }
}

/** The path under which a router of the app has mounted what it calls; Express and its kin keep the whole URL. */
function mountOf(request: IncomingMessage & { readonly originalUrl?: unknown }): string {
  const { url = "", originalUrl } = request;
  if (typeof originalUrl !== "string" || !originalUrl.endsWith(url)) return "";
  return originalUrl.slice(0, originalUrl.length - url.length);
}
