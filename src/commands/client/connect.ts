import { systemClock } from "../../runtime/clock.ts";
import type { Actions } from "./actions.ts";
import { handlersOf, type ClientTimes, type CommandClientOptions } from "./client-options.ts";
import { CommandClient } from "./command-client.ts";
import { CommandRouter } from "./command-router.ts";
import type { HostRule } from "./host-rules.ts";
import type { CommandTarget } from "./target.ts";

const PLATFORM: ClientTimes = { clock: systemClock, random: Math.random, wallClock: Date.now };

/** A client that is connected to a server. */
export async function connectTo<Remote extends Actions<Remote>, Local extends Actions<Local>>(
  target: CommandTarget,
  options: CommandClientOptions,
): Promise<CommandClient<Remote, Local>> {
  const client = new CommandClient<Remote, Local>(target, options, handlersOf(options), PLATFORM);
  await client.start();
  return client;
}

/** A router that is connected to a host of each rule. */
export async function connectRouterTo<Remote extends Actions<Remote>, Local extends Actions<Local>>(
  rules: readonly HostRule[],
  targetOf: (url: string) => CommandTarget,
  options: CommandClientOptions,
): Promise<CommandRouter<Remote, Local>> {
  const router = new CommandRouter<Remote, Local>(rules, targetOf, options, handlersOf(options), PLATFORM);
  await router.start();
  return router;
}
