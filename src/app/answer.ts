/** The answer to one request of a web app, as the hub gets it. */
import { failure, type Failure, type LintelError } from "../message/failure.ts";
import { Format, Message } from "../message/message.ts";
import { createStream } from "../stream/stream-pair.ts";
import { ROOT_LINE } from "../stream/stream.ts";
import { answerFailure } from "../message/unsent.ts";
import { Port } from "../peer/stream/port.ts";
import type { SharedByStreams } from "../peer/stream/values.ts";

/** Longer bodies are streamed: no limit on messages holds for them. Bytes. */
export const WHOLE = 65_536;

const NO_BYTES = new Uint8Array(0);

/** Where answers go: what a registration offers. */
export interface AnswerOwner {
  readonly streams: SharedByStreams;
  /** False if it is no longer wanted. */
  reply(job: number, message: Message): boolean;
  fail(job: number, why: Failure): boolean;
  /** The caller could not be sent the answer as the app made it. */
  unsent(error: unknown): void;
  /** Nothing more comes from this answer. */
  over(answer: Answer): void;
}

/**
 * | state     | meaning                            | next                                     |
 * |-----------|------------------------------------|------------------------------------------|
 * | open      | the app is at it                   | streaming, over (answered, failed, gone) |
 * | streaming | its head is out, its body is coming | over (complete, broken off, gone)        |
 * | over      | nothing more can be said           |                                          |
 */
export class Answer {
  readonly job: number;
  state: "open" | "streaming" | "over" = "open";
  readonly #owner: AnswerOwner;
  readonly #onGone: ((why: Failure) => void)[] = [];
  #port: Port | undefined;

  constructor(job: number, owner: AnswerOwner) {
    this.job = job;
    this.#owner = owner;
  }

  /** Called when it is no longer wanted: the caller has left, or the deadline passed. */
  onGone(then: (why: Failure) => void): void {
    this.#onGone.push(then);
  }

  /** Answers with all there is. `head` is a header block with `:status`. */
  whole(head: string, body: Uint8Array): void {
    if (this.state !== "open") return;
    const format = body.length === 0 ? Format.typed : Format.bytes;
    try {
      this.#owner.reply(this.job, Message.ofBytes(body, head, format));
    } catch (error) {
      this.#owner.fail(this.job, answerFailure(error));
    }
    this.#end();
  }

  /** Answers with a head; the body goes into the port. With `trailers` the port takes messages, else bytes. */
  stream(head: string, trailers: boolean): Port {
    const [near, far] = createStream({ sends: true, receives: false, messages: trailers });
    const port = new Port(near, this.#owner.streams);
    this.#port = port;
    const message = Message.ofBytes(NO_BYTES, head + ROOT_LINE, Format.typed);
    message.streams = [far];
    let wanted = false;
    if (this.state === "open") {
      this.state = "streaming";
      try {
        wanted = this.#owner.reply(this.job, message);
      } catch (error) {
        this.#owner.fail(this.job, answerFailure(error));
      }
    }
    port.closed.then(
      () => this.#end(),
      (error: LintelError) => {
        if (error.reason === "BAD_ANSWER" && this.state !== "over") this.#owner.unsent(error);
        this.gone(error.toFailure());
      },
    );
    if (!wanted) port.abort(failure("CALLER_GONE"));
    return port;
  }

  /** There is no answer, or not the whole of it. */
  fail(why: Failure): void {
    if (this.state === "over") return;
    if (this.state === "open") this.#owner.fail(this.job, why);
    else this.#port?.abort(why);
    this.#end();
  }

  /** It is no longer wanted. */
  gone(why: Failure): void {
    if (this.state === "over") return;
    this.#port?.abort(why);
    this.#end();
    for (const then of this.#onGone) then(why);
  }

  #end(): void {
    if (this.state === "over") return;
    this.state = "over";
    this.#owner.over(this);
  }
}
