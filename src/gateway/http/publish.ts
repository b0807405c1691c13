/** Routes that publish: the caller is answered when the publication is on its way. */
import type { Engine } from "../../engine/engine.ts";
import type { Message } from "../../message/message.ts";
import type { Exchange } from "./connection.ts";
import type { Responder } from "./responder.ts";
import type { Target } from "./router.ts";

export function publishTo(
  engine: Engine,
  exchange: Exchange,
  target: Target,
  message: Message,
  responder: Responder,
): void {
  const room = engine.publish(target.route, message);
  if (room === undefined) return responder.ready(exchange, target.reply);
  room.then(
    () => responder.ready(exchange, target.reply),
    (error: unknown) => responder.thrown(exchange, error),
  );
}
