/** A connected client, as the workers that stand for it see it. */
import type { JsonText } from "../../codec/json-text.ts";
import type { Failure } from "../../message/failure.ts";
import { LintelError, failure } from "../../message/failure.ts";
import type { Message } from "../../message/message.ts";
import type { Origin } from "../../message/origin.ts";
import { RESPONSE, type Command, type ReplyAction } from "../../commands/command.ts";
import { errorOfReply } from "../../commands/error.ts";
import { failureOf, messageOf } from "./decode.ts";

/** A request as it is sent to a client. */
export interface ClientRequest {
  readonly action: string;
  readonly body: JsonText | undefined;
  /** Milliseconds that are left. Sent to clients that have announced what they serve (C-37). */
  readonly timeoutMs: number;
}

/** A reply of a client. */
export interface Reply extends Command {
  readonly action: ReplyAction;
}

/** Who waits for a client's reply. One of the two is called, once, unless the request is given up before. */
export interface ReplyOwner {
  readonly action: string;
  replied(reply: Reply): void;
  /** The client is gone. */
  lost(): void;
}

export interface CommandClient {
  /** For observers. */
  readonly origin: Origin;
  /** True while the client is behind with reading. */
  readonly isFull: boolean;
  /** Bytes that a payload may have. */
  readonly maxPayload: number;
  /** Calls of its own that have no outcome. */
  readonly underWay: number;
  /** Sends a request, and returns its key. */
  ask(request: ClientRequest, owner: ReplyOwner): string;
  /** The request has ended without the client. */
  forget(key: string, why: Failure): void;
}

/** How a client's reply ends a request: with an answer, with a failure, or not at all, because it does not handle the action. */
export type ReplyOutcome =
  | { readonly answer: Message }
  | { readonly failure: Failure; readonly isUnhandled: boolean };

export function outcomeOf({ action, body, bodyText }: Reply, maxPayload: number): ReplyOutcome {
  if (action !== RESPONSE) {
    const isUnhandled = errorOfReply(action, body).reason === "NO_HANDLERS";
    const why = isUnhandled
      ? failure("NO_RESPONDERS", "the client has no handlers for this")
      : failureOf(action, body);
    return { failure: why, isUnhandled };
  }
  const answer = messageOf({ body, bodyText });
  if (answer.end <= maxPayload) return { answer };
  const text = `the client answered, but the payload has ${answer.end} bytes, over ${maxPayload}`;
  return { failure: failure("BAD_ANSWER", text), isUnhandled: false };
}

/** Throws for a message that a client cannot be sent. */
export function checkSendable({ streams }: Message): void {
  if (streams !== undefined) throw LintelError.of("STREAMS_UNSUPPORTED", "commands carry no streams");
}
