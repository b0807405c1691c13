/** The `grpc` of the configuration. Loaded only where a file, variables or flags are read. */
import { either, integer, map, option, turned } from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { hostPort, tlsOrNone } from "../../transport/config.ts";
import { HOST_PORT_FORM } from "../../transport/host-port.ts";
import type { GrpcFileOptions } from "./options.ts";

const MAX_COUNT = 65_536;

const options = map<GrpcFileOptions>(
  "grpc",
  {
    listen: option("address or port; port 0 picks a free one", hostPort()),
    tls: option(
      "[certificates](#tls) of this gateway, or `false` for none",
      tlsOrNone(),
      "`tls` of the file",
    ),
    maxConnections: option("connections at a time", integer(1, MAX_COUNT), "4,096"),
    maxStreams: option("workers at a time, over all connections", integer(1, MAX_COUNT), "16,384"),
  },
  ["listen"],
  { lintel: { short: "listen" } },
);

export const section: Section<GrpcFileOptions> = {
  schema: option(
    "The gateway for workers that speak gRPC: an address, a port alone (then on 127.0.0.1), or a map. Without it there is none.",
    either(
      `${HOST_PORT_FORM}, or a map`,
      turned(hostPort(), (listen) => ({ listen })),
      options,
    ),
  ),
  examples: ["lintel serve --grpc 127.0.0.1:4510"],
  flags: [
    { flag: "--grpc <host:port>", about: "address for workers that speak gRPC", path: ["grpc", "listen"] },
  ],
};
