import { checkOptions, object, orAddress, orOneOf, type Check } from "../../message/options.ts";
import type { GatewayKind } from "../gateway.ts";
import { commandsSettings, type CommandsOptions } from "./options.ts";

const anOption = orAddress(object('{ listen: "ws://127.0.0.1:12000" }'));
const COMMANDS: Readonly<Record<string, Check>> = {
  commands: orOneOf([true], (value) => (Array.isArray(value) ? undefined : anOption(value))),
};

export type CommandsGiven = true | string | number | readonly (string | number)[] | CommandsOptions;

/** Programs that speak DRS: commands between peers, over WebSocket and TCP. */
export const commands: GatewayKind<CommandsGiven> = {
  name: "commands",
  check(options) {
    checkOptions("createHub", { commands: options }, COMMANDS);
    commandsSettings(optionsOf(options as CommandsGiven)); // what it is has been checked
  },
  config: async () => (await import("./config.ts")).section,
  async open(context, options) {
    const { openCommands } = await import("./gateway.ts");
    return openCommands(context, optionsOf(options));
  },
};

function optionsOf(given: CommandsGiven): CommandsOptions {
  if (given === true) return {};
  if (typeof given === "object" && !Array.isArray(given)) return given as CommandsOptions;
  return { listen: given as string | number | readonly (string | number)[] };
}
