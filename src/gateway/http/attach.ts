/** Puts a gateway in front of what a server does already. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { EmbeddedGateway } from "./embedded.ts";
import { serveWithoutUpgrade } from "./upgrade.ts";

/**
 * From now on the server's requests that the gateway claims go to the gateway, and all others to the server's own
 * listeners, whether they have been added or will be. Listeners cannot keep an event from each other, so it is taken out
 * where it is emitted.
 * @returns a function that gives the server back as it was.
 */
export function attach(server: Server, gateway: EmbeddedGateway): () => void {
  const before = Object.getOwnPropertyDescriptor(server, "emit");
  const emit = server.emit.bind(server) as (event: string | symbol, ...args: unknown[]) => boolean;
  let attached = true;
  const filtered = (event: string | symbol, ...args: unknown[]): boolean => {
    if (attached && (event === "request" || event === "checkContinue")) {
      const [request, response] = args as [IncomingMessage, ServerResponse];
      if (gateway.claims(request.url ?? "")) {
        gateway.take(request, response, event === "checkContinue");
        return true;
      }
    }
    return emit(event, ...args);
  };
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (gateway.upgrade(request, socket, head)) return;
    // Other listeners know which upgrades are theirs. Without them node would have ignored the offer.
    if (server.listenerCount("upgrade") === 1) serveWithoutUpgrade(server, request, socket, head);
  };
  server.emit = filtered;
  server.on("upgrade", onUpgrade);
  return () => {
    attached = false;
    server.off("upgrade", onUpgrade);
    if (server.emit !== filtered) return; // other code has replaced it in the meantime: ours stays, and lets everything through
    if (before === undefined) Reflect.deleteProperty(server, "emit");
    else Object.defineProperty(server, "emit", before);
  };
}
