/** Requests that a text client answers. */
import { LintelError } from "../message/failure.ts";
import { checkArgument, object } from "../message/options.ts";
import type { TextAnswer, TextContext, TextServiceHandler } from "./api.ts";
import type { TextHeaders, TextMessage } from "./message.ts";
import { received } from "./received.ts";
import { pairsOf } from "./text-headers.ts";

type Answer = (target: string, headers: TextHeaders, body: string) => void;

type Answered = readonly [headers: TextHeaders, body: string];

/** What a caller is told of an error that may hold a secret. */
const FAILED: Answered = failed(LintelError.of("HANDLER_FAILED"));

/** A request that a handler is busy with. Most handlers never ask for its signal, which costs more than all the rest. */
class UnderWay implements TextContext {
  #aborting: AbortController | undefined;
  #why: Error | undefined;

  get signal(): AbortSignal {
    this.#aborting ??= new AbortController();
    if (this.#why !== undefined) this.#aborting.abort(this.#why);
    return this.#aborting.signal;
  }

  get isAborted(): boolean {
    return this.#why !== undefined;
  }

  abort(why: Error): void {
    this.#why = why;
    this.#aborting?.abort(why);
  }
}

export class TextServices {
  readonly #answer: Answer;
  readonly #report: (error: unknown, where: string) => void;
  readonly #handlers = new Map<string, TextServiceHandler>();
  /** By the server's number. */
  readonly #underWay = new Map<string, UnderWay>();

  constructor(answer: Answer, report: (error: unknown, where: string) => void) {
    this.#answer = answer;
    this.#report = report;
  }

  /** Throws `ALREADY_EXISTS` for a target that is served. */
  add(target: string, handler: TextServiceHandler): void {
    if (this.#handlers.has(target))
      throw new LintelError("already_exists", `${JSON.stringify(target)} is served by this client already`);
    this.#handlers.set(target, handler);
  }

  execute(message: TextMessage, rid: string): void {
    const { target } = message;
    const handler = this.#handlers.get(target);
    if (handler === undefined) return;
    const job = new UnderWay();
    this.#underWay.set(rid, job);
    const answered = (answer: Answered): void => {
      if (this.#underWay.get(rid) !== job) return; // nobody wants it any more
      this.#underWay.delete(rid);
      this.#send(target, rid, answer);
    };
    const thrown = (error: unknown): void => answered(this.#failure(error, job, target));
    try {
      const returned = handler(received(message), job);
      if (isLater(returned)) Promise.resolve(returned).then(answerOf).then(answered).catch(thrown);
      else answered(answerOf(returned));
    } catch (error) {
      thrown(error);
    }
  }

  /** False when it is not under way. */
  cancel(rid: string, why: LintelError): boolean {
    const job = this.#underWay.get(rid);
    if (job === undefined) return false;
    this.#underWay.delete(rid);
    job.abort(why);
    return true;
  }

  abandon(why: Error): void {
    const all = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const job of all) job.abort(why);
  }

  #send(target: string, rid: string, [headers, body]: Answered): void {
    try {
      this.#answer(target, [["rid", rid], ...headers], body);
    } catch (error) {
      this.#report(error, `the handler of ${target}`); // its body is no text, or a header has a line end
      this.#answer(target, [["rid", rid], ...FAILED[0]], FAILED[1]);
    }
  }

  /** What the caller is told of what a handler has thrown. */
  #failure(error: unknown, job: UnderWay, target: string): Answered {
    if (error instanceof LintelError) return failed(error);
    if (!job.isAborted) this.#report(error, `the handler of ${target}`);
    return FAILED;
  }
}

function isLater(returned: TextAnswer | Promise<TextAnswer>): returned is Promise<TextAnswer> {
  return typeof returned === "object" && "then" in returned;
}

/** Throws a TypeError for what is no answer: the caller's request is not what is wrong. */
function answerOf(answer: TextAnswer): Answered {
  if (answer === undefined) return [[], ""];
  if (typeof answer === "string") return [[], answer];
  try {
    checkArgument("serve", "the answer of the handler", answer, object('{ body: "hello" }'));
    return [pairsOf(answer.headers), answer.body ?? ""];
  } catch (error) {
    throw new TypeError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function failed({ code, reason, message }: LintelError): Answered {
  const headers: TextHeaders = [
    ["Error-Code", code],
    ["Error-Reason", reason],
  ];
  return [headers, message];
}
