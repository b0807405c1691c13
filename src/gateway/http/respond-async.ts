/** Answers for callers that come back for them: `Prefer: respond-async`. */
import { Message } from "../../message/message.ts";
import { answerPath } from "./answers-endpoint.ts";
import { wasNotAsked, type AsyncAnswers } from "./async-answers.ts";
import type { Exchange } from "./connection.ts";
import type { Responder } from "./responder.ts";
import type { Target } from "./router.ts";
import { RETRY_AFTER } from "./retry-after.ts";

/** Waits `wait` seconds for the answer as the caller likes to, then tells it where the answer will be. */
export function respondAsync(
  exchange: Exchange,
  target: Target,
  message: Message,
  wait: number,
  answers: AsyncAnswers,
  responder: Responder,
): void {
  const { held, connection, admitted } = exchange;
  const id = answers.start(target.route, message, target.timeoutMs, held, connection.caller, admitted);
  exchange.isAsked = !wasNotAsked(id);
  if (typeof id !== "string") return responder.fail(exchange, id);
  exchange.held = 0;
  exchange.answerId = id;
  if (wait === 0) return tellWhere(exchange, id, responder);
  answers.watch(id, Math.min(wait * 1_000, target.timeoutMs), (outcome) => {
    exchange.answerId = undefined;
    if (outcome === undefined) tellWhere(exchange, id, responder);
    else if (outcome instanceof Message) responder.answer(exchange, outcome);
    else responder.fail(exchange, outcome);
  });
}

function tellWhere(exchange: Exchange, id: string, responder: Responder): void {
  exchange.answerId = undefined;
  exchange.applied = "respond-async";
  responder.empty(exchange, 202, ["Location", answerPath(exchange, id), ...RETRY_AFTER]);
}
