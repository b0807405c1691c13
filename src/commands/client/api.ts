/** What `lintel/commands` has everywhere, besides what connects. */
export { LintelError, type LintelErrorOptions } from "../../message/failure.ts";
export type { Code, Reason } from "../../message/status.ts";
export type { Duration } from "../../message/quantity.ts";
export { JsonNumber } from "../../codec/exact-json.ts";
export type { Command } from "../command.ts";
export { commandOf } from "../command-of.ts";
export { CommandConnection } from "../connection.ts";
export { CommandError, CommandException, type CommandErrorOptions } from "../error.ts";
export { jsonCommands } from "../json-protocol.ts";
export type { CommandLine, LineEnd, LineEvents } from "../line.ts";
export type { CommandConnectionOptions, CommandOptions } from "../options.ts";
export type {
  CallOptions,
  CommandFallback,
  CommandHandler,
  CommandMessage,
  CommandPeer,
  CommandReply,
} from "../peer.ts";
export type { CommandBounds, CommandDecoder, CommandProtocol } from "../protocol.ts";
export type { ActionOf, Actions, AnyActions, BodyOf, CallArguments, ResultOf } from "./actions.ts";
export type {
  ClientCallOptions,
  CommandClientOptions,
  CommandToken,
  ConnectCallback,
  DisconnectCallback,
} from "./client-options.ts";
export type { CommandClient, CommandClientState } from "./command-client.ts";
export type { CommandRouter } from "./command-router.ts";
export type { HostRule } from "./host-rules.ts";
export type { TypedHandler, TypedHandlers, TypedMessage } from "./typed-handlers.ts";
