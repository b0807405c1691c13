import type { GatewayKind } from "../gateway.ts";
import { entrancesOf, type TunnelEntrance } from "./options.ts";

/** TCP ports that lead to targets which open none. */
export const tunnel: GatewayKind<TunnelEntrance | readonly TunnelEntrance[]> = {
  name: "tunnel",
  check: (options) => void entrancesOf(options),
  config: async () => (await import("./config.ts")).section,
  async open(context, options) {
    const { openTunnels } = await import("./gateway.ts");
    return openTunnels(context, options);
  },
};
