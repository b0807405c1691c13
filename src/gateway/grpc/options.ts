/** What the gRPC gateway can be told, and what it does when it is not told. */
import { LintelError } from "../../message/failure.ts";
import { DEFAULT_LIMITS, type Limits } from "../../message/limits.ts";
import type { TlsOptions } from "../../transport/transport.ts";

export interface GrpcOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Port 0 takes a free one. */
  readonly port: number;
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

/** Limits of the hub that hold here. */
export type GrpcLimits = Pick<
  Limits,
  "payload" | "headers" | "concurrency" | "sessionBuffer" | "registrations" | "heartbeat" | "heartbeatTimeout"
> &
  Partial<Pick<Limits, "callerShare">>;

/** Every option with its value. */
export interface GrpcSettings extends Required<GrpcOptions> {
  readonly limits: GrpcLimits;
}

/** The settings that hold. Throws `invalid_argument` for what is none. */
export function grpcSettings(options: GrpcOptions, limits: GrpcLimits = DEFAULT_LIMITS): GrpcSettings {
  const settings: GrpcSettings = {
    host: "127.0.0.1",
    tls: false,
    maxConnections: 4_096,
    maxStreams: 16_384,
    limits,
    ...options,
  };
  const { port } = settings;
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw wrong("port", port, "a port");
  for (const name of ["maxConnections", "maxStreams"] as const) {
    const value = settings[name];
    if (!(Number.isInteger(value) && value > 0 && value < 2 ** 31))
      throw wrong(name, value, "a whole number above 0");
  }
  return settings;
}

function wrong(name: string, value: unknown, form: string): LintelError {
  return new LintelError(
    "invalid_argument",
    `grpc option ${name} is ${JSON.stringify(value)}, it must be ${form}`,
  );
}
