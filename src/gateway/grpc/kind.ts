import { LintelError } from "../../message/failure.ts";
import { checkOptions, object, orAddress, type Check } from "../../message/options.ts";
import type { GatewayKind } from "../gateway.ts";
import type { GrpcOptions } from "./options.ts";

const GRPC: Readonly<Record<string, Check>> = { grpc: orAddress(object("{ listen: 4510 }")) };

/** Workers that speak gRPC. What reads protobuf, not everybody has installed. */
export const grpc: GatewayKind<string | number | GrpcOptions> = {
  name: "grpc",
  check: (options) => checkOptions("createHub", { grpc: options }, GRPC),
  config: async () => (await import("./config.ts")).section,
  async open(context, options) {
    const { openGrpc } = await import("./gateway.ts").catch(explainMissing);
    return openGrpc(context, typeof options === "object" ? options : { listen: options });
  },
};

function explainMissing(cause: unknown): never {
  if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
  const text = "the gRPC gateway needs a package: npm install @bufbuild/protobuf";
  throw new LintelError("failed_precondition", text, { cause });
}
