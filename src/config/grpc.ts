/** The `grpc` of a config file: the gateway for workers that speak gRPC. */
import type { GrpcOptions } from "../gateway/grpc/options.ts";
import { tls } from "./listen.ts";
import { integer, map, scalar, type Shape } from "./shape.ts";
import { HOST_PORT_FORM, parseHostPort, type HostPort } from "../transport/host-port.ts";

const MAX_COUNT = 65_536;

const toAddress = (value: string | number | boolean | null): HostPort | undefined =>
  typeof value === "string" || typeof value === "number" ? parseHostPort(String(value)) : undefined;

/** An address, or a map with one and what else there is. `directory` is where paths of certificates begin. */
export function grpc(directory: string): Shape<GrpcOptions> {
  const certificates = tls(directory);
  const only = scalar("grpc", `${HOST_PORT_FORM}, or a map`, toAddress);
  const fields = map(
    "grpc",
    {
      listen: scalar("listen", HOST_PORT_FORM, toAddress),
      tls: ((node, report) =>
        node.kind === "scalar" && node.value === false ? false : certificates(node, report)) satisfies Shape<
        GrpcOptions["tls"]
      >,
      maxConnections: integer("maxConnections", 1, MAX_COUNT),
      maxStreams: integer("maxStreams", 1, MAX_COUNT),
    },
    ["listen"],
  );
  return (node, report) => {
    if (node.kind !== "map") return only(node, report);
    const { listen, ...rest } = fields(node, report) ?? {};
    return listen === undefined ? undefined : { ...listen, ...rest }; // said already
  };
}
