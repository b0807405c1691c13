import { checkOptions, object, text, type Check } from "../../message/options.ts";
import type { GatewayKind } from "../gateway.ts";
import type { BeamOptions } from "./options.ts";

const BEAM: Readonly<Record<string, Check>> = { beam: object('{ path: "beam.sock" }') };

/** Programs that speak beam over a unix socket. What passes sockets, not every platform has. */
export const beam: GatewayKind<string | BeamOptions> = {
  name: "beam",
  check(given) {
    const options = typeof given === "string" ? { path: given } : given;
    checkOptions("createHub", { beam: options }, BEAM);
    checkOptions("createHub", { path: 0, ...(options as object) }, { path: text });
  },
  config: async () => (await import("./config.ts")).section,
  async open(context, options) {
    const { openBeam } = await import("./gateway.ts");
    return openBeam(context, typeof options === "string" ? { path: options } : options);
  },
};
