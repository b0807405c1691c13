/**
 * The gateways that come along, and what a hub offers to its users for each of them. No other file of the hub, the
 * configuration or the command line names one.
 */
import type { Server } from "node:http";
import { checkOptions, orNull, type Check } from "../message/options.ts";
import { aRegistry, type TransportRegistry } from "../transport/registry.ts";
import type { ListenAt } from "../transport/transport.ts";
import { beam } from "./beam/kind.ts";
import type { BeamOptions } from "./beam/options.ts";
import type { BeamStats } from "./beam/stats.ts";
import { commands, type CommandsGiven } from "./commands/kind.ts";
import type { CommandsGateway } from "./commands/gateway.ts";
import type { Counters, Gateway, GatewayEntry, GatewayKind } from "./gateway.ts";
import { grpc } from "./grpc/kind.ts";
import type { GrpcOptions } from "./grpc/options.ts";
import type { GrpcStats } from "./grpc/stats.ts";
import { checkAttach, checkHttp } from "./http/check-options.ts";
import type { HandlerOptions, HttpHandler } from "./http/embedded.ts";
import type { HttpGateway } from "./http/gateway.ts";
import { http } from "./http/kind.ts";
import type { HttpOptions } from "./http/options.ts";
import { jobs } from "./jobs/kind.ts";
import type { JobsOptions } from "./jobs/options.ts";
import type { NativeGateway } from "./native/gateway.ts";
import { native } from "./native/kind.ts";
import type { HubListener } from "./native/listeners.ts";
import { checkListenAt } from "./native/options.ts";
import type { SessionStats } from "./native/stats.ts";
import { text } from "./text/kind.ts";
import type { TextGateway } from "./text/gateway.ts";
import type { TextGiven } from "./text/options.ts";
import type { TextStats } from "./text/stats.ts";
import { tunnel } from "./tunnel/kind.ts";
import type { TunnelEntrance } from "./tunnel/options.ts";

/** In the order in which they are opened. The HTTP port is the last, since others put paths on it. */
export const builtInKinds: readonly GatewayKind[] = [native, beam, grpc, commands, text, jobs, tunnel, http];

/** Options of a hub for the built-in gateways. */
export interface BuiltInOptions {
  /** The HTTP gateway: its address, its options, or false for none. Default: 127.0.0.1:8500. */
  readonly http?: false | string | number | HttpOptions;
  /**
   * Workers over plain HTTP, on the port of the HTTP gateway: false for none, or how. Default true, but then their paths give
   * way to routes for every path, such as that of a web app at `/`.
   */
  readonly jobs?: boolean | JobsOptions;
  /** Where to listen for the native protocol: URLs, with options where they need any. Default: `tcp://127.0.0.1:4500`. */
  readonly listen?: readonly (string | ListenAt)[];
  /** The gateway for programs that speak beam over a unix socket: the socket's path, or options. Default: none. */
  readonly beam?: string | BeamOptions;
  /** The gateway for workers that speak gRPC: its address, or options. Default: none. */
  readonly grpc?: string | number | GrpcOptions;
  /**
   * The gateway for programs that speak DRS: true for the HTTP port alone, a URL such as `ws://127.0.0.1:12000`, a list of them, or
   * options. Default: none.
   */
  readonly commands?: CommandsGiven;
  /**
   * The gateway for programs that speak the text protocol of middleman: true for the HTTP port alone, an address such as
   * `127.0.0.1:8764`, or options. Default: none.
   */
  readonly text?: TextGiven;
  /** TCP ports, each of which leads to the worker that exposes a subject: one or several. Default: none. */
  readonly tunnel?: TunnelEntrance | readonly TunnelEntrance[];
  /** Transports besides, or instead of, the built-in ones. */
  readonly transports?: TransportRegistry;
}

/** What a hub's stats say of the built-in gateways, besides `stats().gateways`. */
export interface BuiltInStats extends SessionStats {
  /** What the beam gateway has counted; undefined without one. */
  readonly beam: BeamStats | undefined;
  /** What the gRPC gateway has counted; undefined without one. */
  readonly grpc: GrpcStats | undefined;
  /** What the text gateway has counted; undefined without one. */
  readonly text: TextStats | undefined;
}

/** What a hub has for the built-in gateways, besides `hub.gateways`. */
export interface BuiltInMembers {
  /** Where native sessions connect. */
  readonly urls: readonly string[];
  /** Where HTTP requests go. */
  readonly httpUrl: string | undefined;
  /** Where native sessions connect on the port of the HTTP gateway: `ws://127.0.0.1:8500/.lintel/session`. */
  readonly sessionUrl: string | undefined;
  /** Where programs that speak beam connect: `unix:///run/beam.sock`. */
  readonly beamUrl: string | undefined;
  /** Where workers that speak gRPC connect: `grpc://127.0.0.1:4510`, or `grpcs` with certificates. */
  readonly grpcUrl: string | undefined;
  /** The first of `commandsUrls`. */
  readonly commandsUrl: string | undefined;
  /**
   * Where programs that speak DRS connect: ports of their own, such as `ws://127.0.0.1:12000/socket` and `tcp://127.0.0.1:12001`, then
   * the HTTP port.
   */
  readonly commandsUrls: readonly string[];
  /** The first of `textUrls`. */
  readonly textUrl: string | undefined;
  /** Where programs that speak the text protocol connect: ports of its own, such as `ws://127.0.0.1:8764/`, then the HTTP port. */
  readonly textUrls: readonly string[];
  /**
   * Listens for sessions on one more URL, until the listener is closed or the hub is; sessions that came by it stay. Rejects
   * as `createHub` does.
   */
  listen(at: string | ListenAt): Promise<HubListener>;
  /**
   * Opens the HTTP gateway of a hub that was created with `http: false`, so that workers can be there before the first request.
   * Resolves with its URL; rejects as `createHub` does.
   */
  openHttp(options?: HttpOptions): Promise<string>;
  /**
   * The HTTP gateway for a server that is there already: a middleware, a listener for upgrades, and a function from
   * `Request` to `Response`. Rejects with `invalid_argument` for options that are wrong.
   */
  handler(options?: HandlerOptions): Promise<HttpHandler>;
  /**
   * Puts the HTTP gateway, and native sessions, in front of what a server of `node:http` or `node:https` does: with
   * `path`, everything below it is the hub's; without, only the `routes`. All else stays with the server, and everything
   * does once the hub is closed. Rejects as `handler` does.
   */
  attach(server: Server, options?: HandlerOptions): Promise<void>;
}

const CHECKS: Readonly<Record<string, Check>> = { transports: orNull(aRegistry) };

/** Throws `invalid_argument` for an option that belongs to no single gateway and is wrong. */
export function checkBuiltInOptions(config: unknown): void {
  checkOptions("createHub", config, CHECKS);
}

/** The gateways of a hub, in the order in which they are to be opened; `own` are the user's. */
export function entriesOf(config: BuiltInOptions, own: readonly GatewayEntry[]): GatewayEntry[] {
  const { listen, transports } = config;
  const isGiven = <Options>(kind: GatewayKind<Options>, options: Options | undefined): GatewayEntry[] =>
    options === undefined ? [] : [{ kind, options }];
  return [
    { kind: native, options: { listen, transports } },
    ...isGiven(beam, config.beam),
    ...isGiven(grpc, config.grpc),
    ...isGiven(commands, config.commands),
    ...isGiven(text, config.text),
    ...(config.jobs === false ? [] : [{ kind: jobs, options: { jobs: config.jobs } }]),
    ...isGiven(tunnel, config.tunnel),
    ...own,
    { kind: http, options: config.http === undefined ? {} : config.http },
  ];
}

/** `stats` are those of all gateways, by name. */
export function builtInStats(stats: Readonly<Record<string, Counters>>): BuiltInStats {
  // Each was counted by the gateway of that name.
  const {
    native: sessions,
    beam: ofBeam,
    grpc: ofGrpc,
    text: ofText,
  } = stats as {
    readonly native: SessionStats;
    readonly beam?: BeamStats;
    readonly grpc?: GrpcStats;
    readonly text?: TextStats;
  };
  return { ...sessions, beam: ofBeam, grpc: ofGrpc, text: ofText };
}

/** `find` gives the gateway of a name; `checkOpen` throws when the hub takes nothing new any more. */
export function builtInMembers(
  find: (name: string) => Gateway | undefined,
  checkOpen: () => void,
): BuiltInMembers {
  // Their kinds have opened them, with every hub.
  const ofNative = (): NativeGateway => find(native.name) as NativeGateway;
  const ofHttp = (): HttpGateway => find(http.name) as HttpGateway;
  return {
    get urls() {
      return ofNative().urls;
    },
    get httpUrl() {
      return ofHttp().url;
    },
    get sessionUrl() {
      return ofHttp().sessionUrl;
    },
    get beamUrl() {
      return find(beam.name)?.urls[0];
    },
    get grpcUrl() {
      return find(grpc.name)?.urls[0];
    },
    get commandsUrl() {
      return this.commandsUrls[0];
    },
    get commandsUrls() {
      const gateway = find(commands.name) as CommandsGateway | undefined;
      return gateway === undefined
        ? []
        : gateway.urlsWith(ofHttp().sessionUrl === undefined ? undefined : ofHttp().url);
    },
    get textUrl() {
      return this.textUrls[0];
    },
    get textUrls() {
      const gateway = find(text.name) as TextGateway | undefined;
      return gateway === undefined
        ? []
        : gateway.urlsWith(ofHttp().sessionUrl === undefined ? undefined : ofHttp().url);
    },
    async listen(at) {
      checkListenAt("listen", at);
      checkOpen();
      const listener = await ofNative().listen(at);
      try {
        checkOpen();
      } catch (error) {
        await listener.close();
        throw error;
      }
      return listener;
    },
    async openHttp(options = {}) {
      checkHttp("openHttp", options);
      checkOpen();
      return ofHttp().open(options);
    },
    async handler(options = {}) {
      checkHttp("handler", options);
      checkOpen();
      return ofHttp().handler(options);
    },
    async attach(server, options = {}) {
      checkAttach(server, options);
      checkOpen();
      return ofHttp().attach(server, options);
    },
  };
}
