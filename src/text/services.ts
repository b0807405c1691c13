/** Requests that a text client answers. */
import { LintelError } from "../message/failure.ts";
import { checkArgument, object } from "../message/options.ts";
import type { TextAnswer, TextServiceHandler } from "./api.ts";
import type { TextHeaders, TextMessage } from "./message.ts";
import { received } from "./received.ts";
import { pairsOf } from "./text-headers.ts";

type Answer = (target: string, headers: TextHeaders, body: string) => void;

type Answered = readonly [headers: TextHeaders, body: string];

/** What a caller is told of an error that may hold a secret. */
const FAILED: Answered = failed(LintelError.of("HANDLER_FAILED"));

export class TextServices {
  readonly #answer: Answer;
  readonly #report: (error: unknown, where: string) => void;
  readonly #handlers = new Map<string, TextServiceHandler>();
  /** By the server's number. */
  readonly #underWay = new Map<string, AbortController>();

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
    const handler = this.#handlers.get(message.target);
    if (handler === undefined) return;
    const aborting = new AbortController();
    this.#underWay.set(rid, aborting);
    void this.#run(handler, message, aborting.signal).then((answer) => {
      if (this.#underWay.get(rid) !== aborting) return; // nobody wants it any more
      this.#underWay.delete(rid);
      this.#send(message.target, rid, answer);
    });
  }

  /** False when it is not under way. */
  cancel(rid: string, why: LintelError): boolean {
    const aborting = this.#underWay.get(rid);
    if (aborting === undefined) return false;
    this.#underWay.delete(rid);
    aborting.abort(why);
    return true;
  }

  abandon(why: Error): void {
    const all = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const aborting of all) aborting.abort(why);
  }

  #send(target: string, rid: string, [headers, body]: Answered): void {
    try {
      this.#answer(target, [["rid", rid], ...headers], body);
    } catch (error) {
      this.#report(error, `the handler of ${target}`); // its body is no text, or a header has a line end
      this.#answer(target, [["rid", rid], ...FAILED[0]], FAILED[1]);
    }
  }

  /** The answer, whatever the handler does. */
  async #run(handler: TextServiceHandler, message: TextMessage, signal: AbortSignal): Promise<Answered> {
    try {
      return answerOf(await handler(received(message), { signal }));
    } catch (error) {
      if (error instanceof LintelError) return failed(error);
      if (!signal.aborted) this.#report(error, `the handler of ${message.target}`);
      return FAILED;
    }
  }
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
