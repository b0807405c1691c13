import type { GatewayKind } from "../gateway.ts";
import { checkInConfig } from "./check-options.ts";
import type { HttpOptions } from "./options.ts";

/** HTTP requests. With `false` the port is not open, but may be later; servers of an app can use the gateway all the same. */
export const http: GatewayKind<false | string | number | HttpOptions> = {
  name: "http",
  check: checkInConfig,
  config: async () => (await import("./config.ts")).section,
  async open(context, options) {
    const { HttpGateway } = await import("./gateway.ts");
    const gateway = new HttpGateway(context);
    if (options !== false) await gateway.open(typeof options === "object" ? options : { listen: options });
    return gateway;
  },
};
