/** Requests that the client of one connection holds, by the keys that they were sent with. */
import { ERROR, EXCEPTION, RESPONSE, type ReplyAction } from "../../commands/command.ts";
import type { ActionCounts, CommandCounts } from "../../commands/counts.ts";
import { jsonCommands } from "../../commands/json-protocol.ts";
import { pushId } from "../../commands/push-id.ts";
import type { Failure } from "../../message/failure.ts";
import type { ClientRequest, Reply, ReplyOwner } from "./client.ts";

/** The connection that they are sent on. */
export interface RequestHost {
  /** Where they are counted. */
  readonly counts: CommandCounts;
  /** The client has announced what it serves: it knows what Lintel says. */
  readonly isAware: boolean;
  send(encoded: string | Uint8Array): void;
}

/** How replies are counted. */
export const OUTCOMES: Readonly<Record<ReplyAction, keyof ActionCounts>> = {
  [RESPONSE]: "success",
  [ERROR]: "errors",
  [EXCEPTION]: "exceptions",
};

/** Keys are good on their own connection only, so no other client can reply (C-31). */
export class ClientRequests {
  readonly #host: RequestHost;
  readonly #waiting = new Map<string, ReplyOwner>();

  constructor(host: RequestHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Sends a request, and returns its key. */
  ask({ action, body, timeoutMs }: ClientRequest, owner: ReplyOwner): string {
    let key = pushId(Date.now());
    while (this.#waiting.has(key)) key = pushId(Date.now());
    this.#waiting.set(key, owner);
    const timeout = this.#host.isAware ? { timeout: Math.max(1, Math.floor(timeoutMs)) } : {}; // C-37
    this.#host.send(jsonCommands.encode({ key, action, body, ...timeout }));
    return key;
  }

  /** A reply has come. False when nobody waits for it (any longer). */
  replied(reply: Reply): boolean {
    const owner = this.#take(reply.key);
    if (owner === undefined) return false;
    this.#host.counts.add(owner.action, OUTCOMES[reply.action]);
    owner.replied(reply);
    return true;
  }

  /** A request has ended without the client. */
  forget(key: string, { code, reason }: Failure): void {
    const owner = this.#take(key);
    if (owner === undefined) return;
    this.#host.counts.add(owner.action, "exceptions");
    if (this.#host.isAware)
      this.#host.send(jsonCommands.encode({ action: "lintel.cancel", body: { key, code, reason } })); // C-38
  }

  /** The client is gone (C-36). */
  loseAll(): void {
    const owners = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const owner of owners) {
      this.#host.counts.add(owner.action, "exceptions");
      owner.lost();
    }
  }

  #take(key: string | undefined): ReplyOwner | undefined {
    const owner = key === undefined ? undefined : this.#waiting.get(key);
    if (owner !== undefined) this.#waiting.delete(key!);
    return owner;
  }
}
