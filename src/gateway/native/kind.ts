import type { GatewayKind } from "../gateway.ts";
import { checkListen, type NativeOptions } from "./options.ts";

/** Sessions of the native protocol, over any transport and on the HTTP port. */
export const native: GatewayKind<NativeOptions> = {
  name: "native",
  key: "listen",
  check: checkListen,
  config: async () => (await import("./config.ts")).section,
  async open(context, options) {
    const { openNative } = await import("./gateway.ts");
    return openNative(context, options);
  },
};
