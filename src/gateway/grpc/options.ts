/** What the gRPC gateway can be told, and what it does when it is not told. */
import { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS, type Limits } from "../../message/limits.ts";
import { wholeNumber } from "../../message/options.ts";
import { HOST_PORT_FORM, parseHostPort, type HostPort } from "../../transport/host-port.ts";
import type { TlsOptions } from "../../transport/transport.ts";

/** What files, variables and flags can say too. */
export interface GrpcFileOptions {
  /** Address to listen on: `HOST:PORT`, or a port alone (then on 127.0.0.1). Port 0 takes a free one. */
  readonly listen: string | number;
  /** Certificates; false for none where the hub has some. Default: those of the hub. */
  readonly tls?: false | TlsOptions;
  /** Connections at a time; further ones, and those past the share of one caller, are closed. Default 4,096. */
  readonly maxConnections?: number;
  /**
   * Calls of workers at a time, over all connections; further ones, and those past the share of one caller, are refused with
   * `TOO_MANY`. Default 16,384.
   */
  readonly maxStreams?: number;
}

export type GrpcOptions = GrpcFileOptions | (Omit<GrpcFileOptions, "listen"> & OldAddress);

interface OldAddress {
  /** @deprecated Use `listen`. */
  readonly host?: string;
  /** @deprecated Use `listen`. */
  readonly port: number;
}

/** Limits of the hub that hold here. */
export type GrpcLimits = Pick<
  Limits,
  "payload" | "headers" | "concurrency" | "sessionBuffer" | "registrations" | "heartbeat" | "heartbeatTimeout"
> &
  Partial<Pick<Limits, "callerShare">>;

/** Every option with its value. */
export interface GrpcSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: false | TlsOptions;
  readonly maxConnections: number;
  readonly maxStreams: number;
  readonly limits: GrpcLimits;
}

/** The settings that hold. Throws `invalid_argument` for what is none. */
export function grpcSettings(options: GrpcOptions, limits: GrpcLimits = DEFAULT_LIMITS): GrpcSettings {
  const count = (name: "maxConnections" | "maxStreams", otherwise: number): number =>
    wholeNumber(`grpc option ${name}`, options[name] ?? otherwise, 1, 2 ** 31 - 1);
  return {
    ...addressOf(options),
    tls: options.tls ?? false,
    maxConnections: count("maxConnections", 4_096),
    maxStreams: count("maxStreams", 16_384),
    limits,
  };
}

function addressOf(options: GrpcFileOptions | OldAddress): HostPort {
  if ("listen" in options) {
    const address = parseHostPort(options.listen);
    if (address === undefined) throw wrong("listen", options.listen, HOST_PORT_FORM);
    return address;
  }
  const { host = "127.0.0.1", port } = options;
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw wrong("port", port, "a port");
  return { host, port };
}

function wrong(name: string, value: unknown, form: string): LintelError {
  return new LintelError(
    "invalid_argument",
    `grpc option ${name} is ${JSON.stringify(value)}, it must be ${form}`,
  );
}
