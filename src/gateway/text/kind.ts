import { checkOptions, object, orAddress, orOneOf, type Check } from "../../message/options.ts";
import type { GatewayKind } from "../gateway.ts";
import type { TextGiven } from "./options.ts";

const TEXT: Readonly<Record<string, Check>> = {
  text: orOneOf([true], orAddress(object('{ listen: "127.0.0.1:8764" }'))),
};

/** Programs that speak the text protocol of middleman over WebSocket. */
export const text: GatewayKind<TextGiven> = {
  name: "text",
  check: (options) => checkOptions("createHub", { text: options }, TEXT),
  config: async () => (await import("./config.ts")).section,
  async open(context, options) {
    const { openText } = await import("./gateway.ts");
    if (options === true) return openText(context, {});
    return openText(context, typeof options === "object" ? options : { listen: options });
  },
};
