import { LintelError } from "../message/failure.ts";
import { isOwnReason } from "../message/status.ts";
import { defer, type Deferred } from "../runtime/deferred.ts";
import { CANCEL } from "./built-in.ts";
import { ERROR, EXCEPTION, RESPONSE, type Command, type ReplyAction } from "./command.ts";
import { OTHER_ACTIONS } from "./counts.ts";
import { ChainRun, HandledMessage, type Hooks } from "./chain-run.ts";
import { CommandError, failedReply, noHandlers } from "./error.ts";
import type { CommandHandlers } from "./handlers.ts";
import type { CommandSettings } from "./options.ts";
import type { CommandHandler, CommandPeer, CommandReply } from "./peer.ts";

/** What a command under way takes besides its body. Bytes. */
const COMMAND_COST = 256;

/** The commands that have come on one connection, until each has its reply. */
export class IncomingCommands {
  readonly #connection: CommandPeer;
  readonly #own: CommandHandlers;
  readonly #settings: CommandSettings;
  readonly #sendReply: (reply: Command) => void;
  /** Those whose handlers have not returned. */
  readonly #running = new Set<HandledMessage>();
  #underWay = 0;
  #underWayBytes = 0;
  #isOver = false;
  #drained: Deferred | undefined;

  /** `sendReply` throws `BAD_PAYLOAD` for a reply that cannot be written. */
  constructor(
    connection: CommandPeer,
    own: CommandHandlers,
    settings: CommandSettings,
    sendReply: (reply: Command) => void,
  ) {
    this.#connection = connection;
    this.#own = own;
    this.#settings = settings;
    this.#sendReply = sendReply;
  }

  get underWay(): number {
    return this.#underWay;
  }

  take(command: Command, length: number): void {
    const { key, action } = command; // its body is not kept longer than its handlers keep it
    const bytes = length + COMMAND_COST;
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) return this.#send({ key, action }, failedReply(refusal));
    this.#underWay++;
    this.#underWayBytes += bytes;
    const reply = new Reply(this.#connection, (outcome) => this.#answered({ key, action }, bytes, outcome));
    const chain = this.#own.find(action) ?? this.#settings.shared?.find(action);
    if (chain !== undefined) this.#run(command, chain, reply);
    else if (action === CANCEL) reply.response(this.#cancel(command.body));
    else this.#fallBack(command, reply);
  }

  /** Takes nothing new, and resolves when nothing is under way. */
  drain(): Promise<void> {
    this.#drained ??= defer();
    this.#checkDrained();
    return this.#drained.promise;
  }

  /** The connection has ended: nobody waits for what is under way. */
  end(): void {
    this.#isOver = true;
    for (const message of this.#running) message.cancel(this.#connection.signal.reason);
    this.#settings.budget?.give(this.#underWayBytes);
    this.#checkDrained();
  }

  /** Takes the bytes from the budget unless it refuses. */
  #refusal(bytes: number): LintelError | undefined {
    if (this.#drained !== undefined) return LintelError.of("DRAINING");
    const { maxUnderWay, maxUnderWayBytes, budget } = this.#settings;
    const isFull = this.#underWay >= maxUnderWay || this.#underWayBytes + bytes > maxUnderWayBytes;
    if (isFull && this.#underWay > 0)
      return LintelError.of(
        "IN_FLIGHT_FULL",
        `${this.#underWay} commands of this connection, with ${this.#underWayBytes} bytes, are under way`,
      );
    if (budget?.take(bytes) === false)
      return LintelError.of("IN_FLIGHT_FULL", "commands under way have taken all the memory that they may");
    return undefined;
  }

  #fallBack(command: Command, reply: Reply): void {
    try {
      if (this.#settings.fallback?.(command, reply) !== true) reply.fail(noHandlers(command.action));
    } catch (error) {
      this.#settings.onError(error, `the fallback for the command ${command.action}`);
      reply.fail(error);
    }
  }

  /** True when a command with this key was under way. It still gets its reply. */
  #cancel(body: unknown): boolean {
    const { key, reason } = (typeof body === "object" && body !== null ? body : {}) as Readonly<
      Record<string, unknown>
    >;
    const isOwn = typeof reason === "string" && isOwnReason(reason);
    for (const message of this.#running) {
      if (message.key === undefined || message.key !== key) continue;
      message.cancel(LintelError.of(isOwn ? reason : "CALLER_GONE"));
      return true;
    }
    return false;
  }

  #run(command: Command, chain: readonly CommandHandler[], reply: Reply): void {
    const message = new HandledMessage(command, this.#connection);
    const run = new ChainRun(message, this.#hooks(chain));
    let hasEnded = false;
    run.start((hasFailed) => {
      hasEnded = true;
      this.#running.delete(message);
      if (!hasFailed) return reply.response(message.result);
      const thrown = message.error;
      // The caller of a LintelError is told all there is to know.
      if (!(thrown instanceof LintelError))
        this.#settings.onError(thrown, `a handler of the command ${command.action}`);
      reply.fail(thrown);
    });
    if (!hasEnded) this.#running.add(message);
  }

  /** A server's own come first and last. */
  #hooks(chain: readonly CommandHandler[]): Hooks {
    const { shared } = this.#settings;
    const own = this.#own;
    if (shared === undefined) return { before: own.firstOnes, chain, after: own.lastOnes };
    return {
      before: [...shared.firstOnes, ...own.firstOnes],
      chain,
      after: [...own.lastOnes, ...shared.lastOnes],
    };
  }

  #answered(command: Command, bytes: number, outcome: Outcome): void {
    this.#underWay--;
    this.#underWayBytes -= bytes;
    if (!this.#isOver) this.#settings.budget?.give(bytes);
    this.#send(command, outcome);
    this.#checkDrained();
  }

  #send(command: Command, outcome: Outcome): void {
    const sent = this.#isOver ? outcome : this.#trySend(command, outcome);
    const counted = COUNTED[sent.action];
    this.#settings.counts?.add(sent.isUnknown === true ? OTHER_ACTIONS : command.action, counted);
  }

  /** What could be sent: a result that cannot be written becomes an exception. */
  #trySend({ key, action: name }: Command, outcome: Outcome): Outcome {
    try {
      this.#sendReply({ key, action: outcome.action, body: outcome.body });
      return outcome;
    } catch (error) {
      this.#settings.onError(error, `sending the reply to the command ${name}`);
      const failed = failedReply(LintelError.of("BAD_ANSWER"));
      this.#sendReply({ key, ...failed });
      return failed;
    }
  }

  #checkDrained(): void {
    if (this.#drained !== undefined && (this.#underWay === 0 || this.#isOver)) this.#drained.resolve();
  }
}

const COUNTED = { [RESPONSE]: "success", [ERROR]: "errors", [EXCEPTION]: "exceptions" } as const;

interface Outcome {
  readonly action: ReplyAction;
  readonly body: unknown;
  /** No handlers: the action may be any text. */
  readonly isUnknown?: boolean;
}

class Reply implements CommandReply {
  readonly connection: CommandPeer;
  #answered: ((outcome: Outcome) => void) | undefined;

  constructor(connection: CommandPeer, answered: (outcome: Outcome) => void) {
    this.connection = connection;
    this.#answered = answered;
  }

  response(body: unknown): void {
    this.#settle({ action: RESPONSE, body });
  }

  fail(error: unknown): void {
    const isUnknown = error instanceof CommandError && error.reason === "NO_HANDLERS";
    this.#settle({ ...failedReply(error), isUnknown });
  }

  #settle(outcome: Outcome): void {
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(outcome);
  }
}
