/** Requests that the client of one connection holds, by the keys that they were sent with. */
import type { Command, ReplyAction } from "../../commands/command.ts";
import { pushId } from "../../commands/push-id.ts";
import type { Failure } from "../../message/failure.ts";

/** A reply of a client. */
export interface Reply extends Command {
  readonly action: ReplyAction;
}

/** Who waits for a client's reply. One of the two is called, once, unless the request is given up before. */
export interface ReplyOwner {
  replied(reply: Reply): void;
  /** The client is gone. */
  lost(why: Failure): void;
}

/** Keys are good on their own connection only, so no other client can reply (C-31). */
export class ClientRequests {
  readonly #waiting = new Map<string, ReplyOwner>();

  get size(): number {
    return this.#waiting.size;
  }

  /** The key to send the request with. */
  add(owner: ReplyOwner): string {
    let key = pushId(Date.now());
    while (this.#waiting.has(key)) key = pushId(Date.now());
    this.#waiting.set(key, owner);
    return key;
  }

  /** False for a reply that nobody waits for (any longer). */
  settle(key: string | undefined, reply: Reply): boolean {
    const owner = key === undefined ? undefined : this.#waiting.get(key);
    if (owner === undefined) return false;
    this.#waiting.delete(key!);
    owner.replied(reply);
    return true;
  }

  /** Nobody waits for the reply any longer. False when it has come. */
  forget(key: string): boolean {
    return this.#waiting.delete(key);
  }

  loseAll(why: Failure): void {
    const owners = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const owner of owners) owner.lost(why);
  }
}
