/** The near end of a tunnel: a listener, of which every connection is a request that carries it as a stream. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { openAdmission, tryAdmit, type Admission, type Admitted } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Sink } from "../../message/delivery.ts";
import { callerOfSession } from "../../message/caller.ts";
import type { Origin } from "../../message/origin.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { Format, Message, type StreamShape } from "../../message/message.ts";
import { LEAST_SHARE, SharedBound, shareOf } from "../../collections/shared-bound.ts";
import { createStream } from "../../stream/stream-pair.ts";
import { ROOT_LINE, discardStreams } from "../../stream/stream.ts";
import { formatAddress } from "../../transport/address.ts";
import { cutOff, listenOn, stopListening } from "../../transport/sockets.ts";
import { Connections } from "./connections.ts";
import type { Entrance, TunnelOptions } from "./options.ts";
import type { SocketStream } from "./socket-stream.ts";

/** Where an entrance is that names no host. */
export const LOOPBACK = "127.0.0.1";
const DUPLEX: StreamShape = { receives: true, sends: true, messages: false };
const NOTHING = new Uint8Array(0);

/** A listener whose connections lead to a worker of a subject. */
export class Tunnel implements AsyncDisposable {
  readonly #admission: Admission;
  readonly subject: string;
  readonly #connections: Connections;
  readonly #server: Server;
  /** Whose connections there are. */
  readonly #callers: SharedBound;
  /** Connections since the start. */
  #accepted = 0;
  #host = "";
  #port = 0;

  /** With an admission each connection is let in first; without one, whose engine it is has been. */
  constructor(
    engine: Engine,
    subject: string,
    options: TunnelOptions,
    admission: Admission = openAdmission(engine),
  ) {
    this.#admission = admission;
    this.subject = engine.route(subject).subject;
    this.#connections = new Connections(options);
    const { maxConnections, callerShare } = this.#connections.limits;
    this.#callers = new SharedBound(maxConnections, shareOf(maxConnections, callerShare, LEAST_SHARE));
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket),
    );
  }

  async listen({ host = LOOPBACK, port }: Entrance): Promise<this> {
    await listenOn(this.#server, { host, port });
    const address = this.#server.address() as AddressInfo;
    this.#host = address.address;
    this.#port = address.port;
    return this;
  }

  get url(): string {
    return `tcp://${formatAddress(this.#host, this.#port)}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections that are open, including those not answered yet. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Accepts nothing new. What is open stays. */
  stop(): Promise<void> {
    return stopListening(this.#server);
  }

  /** Resolves when what is open has ended by itself. */
  ended(): Promise<void> {
    return this.#connections.ended();
  }

  /** Accepts nothing new, and resolves when what is open has ended by itself. */
  async drain(): Promise<void> {
    await this.stop();
    await this.ended();
  }

  /** Accepts nothing new and cuts off what is open. */
  async close(): Promise<void> {
    await this.stop();
    await this.#connections.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    const { maxConnections } = this.#connections.limits;
    const name = formatAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    this.#accepted++;
    const caller = callerOfSession(`tcp://${name}`, this.#accepted);
    const isFull = this.#connections.size >= maxConnections;
    if (isFull || !this.#callers.take(caller, 1)) {
      socket.on("error", () => undefined); // it is gone either way
      cutOff(socket);
      this.#connections.report(
        failure(
          "TOO_MANY",
          isFull
            ? `this end is at its limit of ${maxConnections} connections`
            : `${caller} has its share of the connections`,
        ),
        name,
      );
      return;
    }
    if (this.#admission.isOpen) return this.#begin(socket, name, caller, this.#admission.everyone);
    const admitted = tryAdmit(this.#admission, { gateway: "tunnel", remote: name });
    if (!(admitted instanceof Promise)) return this.#decided(socket, name, caller, admitted);
    const onError = (): void => undefined; // 'close' follows
    socket.on("error", onError);
    void admitted.then((known) => {
      socket.off("error", onError);
      this.#decided(socket, name, caller, this.#server.listening ? known : failure("DRAINING"));
    });
    return undefined;
  }

  /** The connection's principal is known, or why it has none. Nothing was read from it yet. */
  #decided(socket: Socket, name: string, caller: string, admitted: Admitted | Failure): void {
    const isOver = socket.destroyed;
    const why =
      "code" in admitted ? admitted : isOver ? undefined : admitted.told(admitted.quota?.takeConnection());
    if (!("code" in admitted) && !isOver && why === undefined)
      return this.#begin(socket, name, caller, admitted);
    this.#callers.give(caller, 1);
    if (why !== undefined) this.#connections.report(why, name);
    socket.on("error", () => undefined); // it is gone either way
    return cutOff(socket);
  }

  #begin(socket: Socket, name: string, caller: string, admitted: Admitted): void {
    const { engine } = admitted;
    const [near, far] = createStream(DUPLEX);
    const request = Message.ofBytes(NOTHING, ROOT_LINE, Format.typed); // for handlers that are no exposures
    request.streams = [far];
    const { connectTimeoutMs } = this.#connections.limits;
    const call = new Call({ gateway: "tunnel", remote: `tcp://${name}`, principal: admitted.principal });
    const closed = (): void => {
      unwatch();
      this.#callers.give(caller, 1);
      admitted.quota?.giveConnection();
      engine.cancel(call.handle);
    };
    call.connection = this.#connections.add(socket, near, name, closed);
    const unwatch = admitted.watch((why) => call.connection?.abort(why));
    call.handle = engine.request(engine.route(this.subject), request, connectTimeoutMs, call, 0);
  }
}

/** The request of one connection. Once it is answered, the connection stands. */
class Call implements Sink {
  connection: SocketStream | undefined;
  handle = 0;
  readonly #origin: Origin;

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  originOf(): Origin {
    return this.#origin;
  }

  answered(_tag: number, answer: Message): void {
    this.handle = 0;
    discardStreams(answer);
  }

  failed(_tag: number, why: Failure): void {
    this.handle = 0;
    this.connection?.abort(why);
  }
}
