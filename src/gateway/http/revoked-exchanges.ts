/** Ends the exchanges of callers whose credentials have expired or were revoked. */
import { failure, type Failure } from "../../message/failure.ts";
import { deferToEndOfTick } from "../../runtime/defer-to-end-of-tick.ts";
import { SlicedWork } from "../../runtime/sliced-work.ts";
import type { Exchange, HttpConnection } from "./connection.ts";
import type { Responder } from "./responder.ts";

/** What a worker hears whose answer is a stream; the others' requests are withdrawn. */
const CALLER_GONE: Failure = Object.freeze(failure("CALLER_GONE"));

export class RevokedExchanges {
  readonly #responder: Responder;
  readonly #withdraw: (exchange: Exchange) => void;
  readonly #work = new SlicedWork(deferToEndOfTick());

  /** `withdraw` cancels what an exchange has asked for. */
  constructor(responder: Responder, withdraw: (exchange: Exchange) => void) {
    this.#responder = responder;
    this.#withdraw = withdraw;
  }

  /** Ends those of these connections, as many in one turn of the loop as it can take. */
  end(connections: Iterable<HttpConnection>): void {
    const ended: Exchange[] = [];
    for (const { pending } of connections)
      for (const exchange of pending) if (exchange.ended !== undefined) ended.push(exchange);
    if (ended.length === 0) return;
    this.#work.run(() => {
      this.#endOne(ended.pop()!);
      return ended.length > 0;
    });
  }

  /** Others may have requests on the same connection, which goes on if nothing more of this request can come. */
  #endOne(exchange: Exchange): void {
    const { ended, stream, response, request, connection } = exchange;
    if (exchange.isDone || ended === undefined) return;
    if (stream !== undefined) {
      if (response.writableNeedDrain) connection.driver.cut(); // the caller does not read, and would not see its end
      else stream.abort(ended, CALLER_GONE);
      return;
    }
    this.#withdraw(exchange);
    exchange.call?.gone();
    if (request.complete) this.#responder.problem(exchange, ended);
    else this.#responder.refuse(exchange, ended);
  }
}
