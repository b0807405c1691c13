/** The gateway for workers that speak gRPC. */
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { openAdmission, tryAdmit, type Admission, type Admitted } from "../../access/admission.ts";
import type { Engine } from "../../engine/engine.ts";
import { callerAt } from "../../message/caller.ts";
import { LintelError, failure, type Failure } from "../../message/failure.ts";
import { DEFAULT_LIMITS } from "../../message/limits.ts";
import { LEAST_SHARE, SharedBound, shareOf } from "../../collections/shared-bound.ts";
import { Heartbeat } from "../../runtime/heartbeat.ts";
import { formatAddress } from "../../transport/address.ts";
import { SERVER_BOUNDS, guardIdle, widen } from "../../transport/http2/options.ts";
import { StreamFloods } from "../../transport/http2/stream-floods.ts";
import { HANDSHAKE_TIMEOUT_MS } from "../../transport/session-protocol.ts";
import { stopListening } from "../../transport/sockets.ts";
import type { Listener, TlsOptions } from "../../transport/transport.ts";
import { identityOf } from "../../transport/peer-certificate.ts";
import { AccessRule, cluesOf } from "../../transport/origins.ts";
import { listenAt, secureFor } from "../../transport/web-listener.ts";
import type { Gateway, GatewayContext } from "../gateway.ts";
import { GrpcCall } from "./call.ts";
import { grpcSettings, type GrpcLimits, type GrpcOptions, type GrpcSettings } from "./options.ts";
import { MAX_REFLECTION_REQUEST, ReflectionCall } from "./reflection-call.ts";
import type { GrpcStats } from "./stats.ts";
import { answerStatus } from "./status.ts";
import { WorkerConnection, type GrpcContext } from "./connection.ts";

const WORK = "/lintel.v1.Worker/Work";
const REFLECTION = /^\/grpc\.reflection\.v1(?:alpha)?\.ServerReflection\/ServerReflectionInfo$/;
const GRPC = /^application\/grpc(?:\+proto)?(?:;|$)/;
/** Registrations of all workers. */
const MAX_REGISTRATIONS = 262_144;
/** What a message may have besides payload and headers: names, numbers, and the tags of its fields. Bytes. */
const BESIDES = 65_536;
/** A connection without a call is closed after this long. Milliseconds. */
const IDLE_MS = 60_000;
/** Connections have this long to end by themselves when the gateway is closed. Milliseconds. */
const CLOSING_MS = 1_000;

/** Begins a call: gets its principal, the caller it counts for, and a function to call when it is over. */
type Begin = (admitted: Admitted, caller: string, over: () => void) => void;

/** Opens the gateway. Rejects with `invalid_argument` for options that are wrong, and with the system's errors of listening. */
export async function openGrpc(
  { engine, admission, limits, tls, checkListen }: GatewayContext,
  options: GrpcOptions,
): Promise<GrpcGateway> {
  const settings = grpcSettings({ tls: tls ?? false, ...options }, limits);
  await checkListen(`grpc://${formatAddress(settings.host, settings.port)}`);
  const gateway = new GrpcGateway(engine, settings, admission);
  await gateway.listen();
  return gateway;
}

export class GrpcGateway implements Gateway, GrpcContext {
  readonly name = "grpc";
  readonly closesAfterEngine = true;
  readonly engine: Engine;
  readonly limits: GrpcLimits;
  readonly #admission: Admission;
  readonly counters: GrpcStats = { workers: 0, jobs: 0, refused: 0, rejected: 0, malformed: 0 };
  readonly #settings: GrpcSettings;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #access = new AccessRule();
  readonly #workers = new Set<WorkerConnection>();
  readonly #reflections = new Set<ReflectionCall>();
  #listener: Listener | undefined;
  /** Whose connections and calls there are. */
  readonly #connections: SharedBound;
  readonly #calls: SharedBound;
  readonly registrations: SharedBound;
  #refusal: Failure | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(engine: Engine, settings: GrpcSettings, admission: Admission = openAdmission(engine)) {
    this.engine = engine;
    this.#admission = admission;
    this.limits = settings.limits;
    this.#settings = settings;
    const { callerShare = DEFAULT_LIMITS.callerShare } = settings.limits;
    const bound = (limit: number): SharedBound =>
      new SharedBound(limit, shareOf(limit, callerShare, LEAST_SHARE));
    this.#connections = bound(settings.maxConnections);
    this.#calls = bound(settings.maxStreams);
    const { registrations } = settings.limits;
    const most = Math.max(MAX_REGISTRATIONS, registrations);
    this.registrations = new SharedBound(most, shareOf(most, callerShare, registrations));
  }

  async listen(): Promise<void> {
    const { host, port, tls, maxConnections } = this.#settings;
    const scheme = tls === false ? "grpc" : "grpcs";
    const url = `${scheme}://${formatAddress(host, port)}`;
    const secure = secureFor(url, tls === false ? {} : { tls }, tls !== false);
    const server: Http2Server =
      secure === undefined
        ? createServer(SERVER_BOUNDS)
        : createSecureServer({ ...SERVER_BOUNDS, ...secure, handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
    new StreamFloods().watch(server, secure !== undefined);
    server.maxConnections = maxConnections;
    server.on("session", (session) => this.#welcome(session));
    server.on("stream", (stream, headers) => this.#begin(stream, headers));
    const address = { host, port, path: "" };
    this.#listener = await listenAt(server, {
      url,
      address,
      access: this.#access,
      secure,
      close: () => stopListening(server),
    });
  }

  /** `grpc://127.0.0.1:4510`, or `grpcs` with certificates. */
  get url(): string {
    return this.#listener?.url ?? "";
  }

  get urls(): readonly string[] {
    return [this.url];
  }

  stats(): GrpcStats {
    return { ...this.counters };
  }

  /** Why nothing new is taken. */
  get refusal(): Failure | undefined {
    return this.#refusal;
  }

  reload(url: string, tls: TlsOptions): boolean {
    if (url !== this.url || this.#listener?.reload === undefined) return false;
    this.#listener.reload(tls);
    return true;
  }

  /** Takes no new workers. Those that are there go on, for what was accepted before, until the gateway is closed. */
  drain(): Promise<void> {
    this.#refusal = failure("DRAINING");
    for (const worker of this.#workers) worker.goaway(failure("DRAINING"));
    for (const session of this.#sessions) session.close(); // when the last call on it has ended
    void this.#listener?.close(); // it is closed when the last connection is
    return Promise.resolve();
  }

  /** Ends all calls; jobs that workers hold fail as `WORKER_LOST`. */
  async close(): Promise<void> {
    this.#refusal = failure("DRAINING");
    for (const call of [...this.#workers, ...this.#reflections]) call.end(failure("DRAINING"));
    await this.#listener?.close();
    for (const session of this.#sessions) session.close();
    await this.#emptied();
    for (const session of this.#sessions) session.destroy();
  }

  #welcome(session: ServerHttp2Session): void {
    const caller = callerAt(session.socket?.remoteAddress);
    session.on("error", () => undefined); // the calls inside hear of it
    if (!this.#connections.take(caller, 1)) return session.destroy();
    this.#sessions.add(session);
    const bytesRead = (): number => session.socket?.bytesRead ?? 0;
    let before = 0;
    const heartbeat = new Heartbeat(this.engine.clock, this.limits, {
      ping: () => {
        before = bytesRead();
        session.ping((error) => error ?? heartbeat.heard());
      },
      // Where the way is slow a ping waits behind the jobs; reading them is a sign of life too.
      lost: () => (bytesRead() === before ? session.destroy() : heartbeat.start()),
    });
    session.on("close", () => {
      this.#connections.give(caller, 1);
      heartbeat.stop();
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#onEmpty?.();
    });
    heartbeat.start(); // W-82
    guardIdle(session, IDLE_MS);
    widen(session);
  }

  #begin(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on("error", () => undefined); // 'close' follows
    if (stream.destroyed || stream.closed) return;
    const { ":method": method, ":path": path = "", "content-type": type = "" } = headers;
    if (this.#access.standingOf(cluesOf(headers, this.url.startsWith("grpcs:"))) === "foreign") {
      stream.respond({ ":status": 403 }, { endStream: true }); // a web page: no worker is one
    } else if (method !== "POST" || !GRPC.test(type)) {
      stream.respond({ ":status": method === "POST" ? 415 : 405 }, { endStream: true });
    } else if (path === WORK) {
      this.#take(stream, headers, (admitted, caller, over) => this.#work(stream, admitted, caller, over));
    } else if (REFLECTION.test(path)) {
      this.#take(stream, headers, (admitted, _caller, over) => this.#reflect(stream, admitted, over));
    } else {
      answerStatus(stream, new LintelError("unimplemented", "there is no such method").toFailure());
    }
  }

  /** Takes a call, if there is room for it and its caller is let in. Nothing is read before. */
  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, begin: Begin): void {
    const socket = stream.session?.socket;
    const caller = callerAt(socket?.remoteAddress);
    if (this.#refusal !== undefined || !this.#calls.take(caller, 1)) {
      const { limit, taken } = this.#calls;
      const text =
        taken < limit ? "this caller has its share of the calls" : `the limit of ${limit} calls is reached`;
      return this.#refuse(stream, this.#refusal ?? failure("TOO_MANY", text)); // W-5
    }
    const over = (): void => this.#calls.give(caller, 1);
    const decided = (admitted: Admitted | Failure): void => {
      const why = stream.closed ? failure("CALLER_GONE") : this.#objection(admitted);
      if (why === undefined) return this.#counted(admitted as Admitted, caller, over, begin); // it is no failure
      over();
      if (!stream.closed) this.#refuse(stream, why); // W-8
      return undefined;
    };
    if (this.#admission.isOpen) return decided(this.#admission.everyone);
    const remote = socket?.remoteAddress ?? "unknown";
    const credentials = { gateway: this.name, remote, ...identityOf({ headers, socket })() };
    const admitted = tryAdmit(this.#admission, credentials);
    if (!(admitted instanceof Promise)) return decided(admitted);
    void admitted.then(decided);
    return undefined;
  }

  /** Why a call cannot begin. Else it is one of the connections of its principal. */
  #objection(admitted: Admitted | Failure): Failure | undefined {
    if ("code" in admitted) return admitted;
    return this.#refusal ?? admitted.told(admitted.quota?.takeConnection());
  }

  #counted(admitted: Admitted, caller: string, over: () => void, begin: Begin): void {
    begin(admitted, caller, () => {
      admitted.quota?.giveConnection();
      over();
    });
  }

  #refuse(stream: ServerHttp2Stream, why: Failure): void {
    this.counters.refused++;
    answerStatus(stream, why);
  }

  #work(stream: ServerHttp2Stream, admitted: Admitted, caller: string, over: () => void): void {
    const { counters, limits } = this;
    const bounds = {
      message: limits.payload + limits.headers + BESIDES,
      window: limits.sessionBuffer / 8,
    };
    const worker = new WorkerConnection(new GrpcCall(stream, bounds), this, admitted, caller, () => {
      this.#workers.delete(worker);
      counters.workers--;
      over();
    });
    this.#workers.add(worker);
    counters.workers++;
    worker.open();
  }

  #reflect(stream: ServerHttp2Stream, admitted: Admitted, over: () => void): void {
    const call = new GrpcCall(stream, { message: MAX_REFLECTION_REQUEST, window: 0 });
    let unwatch = (): void => undefined;
    const reflection = new ReflectionCall(call, () => {
      this.#reflections.delete(reflection);
      unwatch();
      over();
    });
    this.#reflections.add(reflection);
    unwatch = admitted.watch((why) => reflection.end(why)); // W-8
    reflection.open();
  }

  #emptied(): Promise<void> {
    if (this.#sessions.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSING_MS);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
