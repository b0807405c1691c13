import type { Exchange } from "./connection.ts";
import type { Target } from "./router.ts";

/** Tells an API of a request for one of its subjects, if it may be made: before it is. */
export function announce({ admitted, connection }: Exchange, { api, route: { subject } }: Target): void {
  const decision = admitted.expects("request", subject);
  if (decision === undefined) api?.announce?.(subject, connection.caller, admitted.tenantEngine);
  else if (decision instanceof Promise)
    void decision.then(
      (why) => why === undefined && api?.announce?.(subject, connection.caller, admitted.tenantEngine),
    );
}
