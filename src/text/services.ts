/** Requests that a text client answers. */
import { LintelError } from "../message/failure.ts";
import type { ReceivedText, TextAnswer, TextContext } from "./api.ts";
import type { TextHeaders, TextMessage } from "./message.ts";
import { received } from "./received.ts";
import { pairsOf } from "./text-headers.ts";

type Handler = (message: ReceivedText, context: TextContext) => TextAnswer | Promise<TextAnswer>;
type Answer = (target: string, headers: TextHeaders, body: string) => void;

export class TextServices {
  readonly #answer: Answer;
  readonly #report: (error: unknown, where: string) => void;
  readonly #handlers = new Map<string, Handler>();
  /** By the server's number. */
  readonly #underWay = new Map<string, AbortController>();

  constructor(answer: Answer, report: (error: unknown, where: string) => void) {
    this.#answer = answer;
    this.#report = report;
  }

  /** Throws `ALREADY_EXISTS` for a target that is served. */
  add(target: string, handler: Handler): void {
    if (this.#handlers.has(target))
      throw new LintelError("already_exists", `${JSON.stringify(target)} is served by this client already`);
    this.#handlers.set(target, handler);
  }

  execute(message: TextMessage, rid: string): void {
    const { target } = message;
    const handler = this.#handlers.get(target);
    if (handler === undefined) return;
    const aborting = new AbortController();
    this.#underWay.set(rid, aborting);
    void this.#run(handler, message, aborting.signal).then(([headers, body]) => {
      if (this.#underWay.get(rid) !== aborting) return; // nobody wants it any more
      this.#underWay.delete(rid);
      this.#answer(target, [["rid", rid], ...headers], body);
    });
  }

  /** False when it is not under way. */
  cancel(rid: string): boolean {
    const aborting = this.#underWay.get(rid);
    if (aborting === undefined) return false;
    this.#underWay.delete(rid);
    aborting.abort(LintelError.of("CALLER_GONE"));
    return true;
  }

  abandon(why: Error): void {
    const all = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const aborting of all) aborting.abort(why);
  }

  /** Headers and body of the answer, whatever the handler does. */
  async #run(
    handler: Handler,
    message: TextMessage,
    signal: AbortSignal,
  ): Promise<readonly [TextHeaders, string]> {
    try {
      const answer = await handler(received(message), { signal });
      if (answer === undefined) return [[], ""];
      if (typeof answer === "string") return [[], answer];
      return [pairsOf(answer.headers), answer.body ?? ""];
    } catch (error) {
      if (!(error instanceof LintelError)) {
        if (!signal.aborted) this.#report(error, `the handler of ${message.target}`);
        return [[["Error-Code", "internal"]], "the handler failed"];
      }
      const { code, reason, message: said } = error;
      return [
        [
          ["Error-Code", code],
          ["Error-Reason", reason],
        ],
        said,
      ];
    }
  }
}
