/** `/.lintel/answers/<id>`: where answers to `Prefer: respond-async` are fetched. */
import { failure } from "../../message/failure.ts";
import { Message } from "../../message/message.ts";
import type { AsyncAnswers } from "./async-answers.ts";
import type { Exchange } from "./connection.ts";
import type { Responder } from "./responder.ts";
import { RETRY_AFTER } from "./retry-after.ts";

/** Paths below it are the gateway's own; the dot keeps them apart from every subject. */
export const OWN_PATHS = "/.lintel/";
const PREFIX = `${OWN_PATHS}answers/`;
const ALLOW = "GET, HEAD, DELETE, OPTIONS";

/** The path at which the caller of this exchange fetches the answer with this id. */
export function answerPath({ connection }: Exchange, id: string): string {
  return connection.driver.base + PREFIX + id;
}

/** GET takes the answer, once; HEAD looks; DELETE gives it up and cancels its request. */
export function serveAnswers(exchange: Exchange, answers: AsyncAnswers, responder: Responder): void {
  const { method } = exchange.request;
  if (!exchange.path.startsWith(PREFIX)) return responder.problem(exchange, failure("NO_SUCH_ANSWER"));
  const id = exchange.path.slice(PREFIX.length);
  if (method === "OPTIONS") return responder.empty(exchange, 204, ["Allow", ALLOW]);
  if (method === "DELETE") {
    if (answers.isOf(id, exchange.admitted) && answers.drop(id)) responder.empty(exchange, 204, []);
    else responder.problem(exchange, failure("NO_SUCH_ANSWER"));
    return;
  }
  if (method !== "GET" && method !== "HEAD") {
    return responder.problem(exchange, failure("METHOD_NOT_ALLOWED"), undefined, ["Allow", ALLOW]);
  }
  const outcome = answers.isOf(id, exchange.admitted) ? answers.look(id) : undefined;
  if (outcome === undefined) return responder.problem(exchange, failure("NO_SUCH_ANSWER"));
  if (outcome === "pending")
    return responder.empty(exchange, 202, [...RETRY_AFTER, "Location", answerPath(exchange, id)]);
  if (method === "GET") answers.drop(id);
  if (outcome instanceof Message) responder.answer(exchange, outcome);
  else responder.problem(exchange, outcome);
}
