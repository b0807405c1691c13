/** Routes that publish: the caller is answered when the publication is on its way. */
import type { Message } from "../../message/message.ts";
import type { Exchange } from "./connection.ts";
import type { Responder } from "./responder.ts";
import type { Target } from "./router.ts";

export function publishTo(exchange: Exchange, target: Target, message: Message, responder: Responder): void {
  const room = exchange.admitted.engine.publish(target.route, message);
  if (room === undefined) return responder.ready(exchange, target.reply);
  room.then(
    () => responder.ready(exchange, target.reply),
    (error: unknown) => responder.thrown(exchange, error),
  );
}
