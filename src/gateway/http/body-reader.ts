/** Reads request bodies that are passed on whole, within the limits, and decompresses them. */
import type { Failure } from "../../message/failure.ts";
import { BodyBuffer } from "./body-buffer.ts";
import { BODIES_FULL, BODY_TOO_LARGE, type BodyBudget } from "./body-limit.ts";
import type { Exchange } from "./connection.ts";
import { decodeBody } from "./content-coding.ts";
import type { HttpSettings } from "./options.ts";
import type { Responder } from "./responder.ts";

export class BodyReader {
  readonly #settings: HttpSettings;
  readonly #bodies: BodyBudget;
  readonly #responder: Responder;
  readonly #handOn: (exchange: Exchange, body: Uint8Array) => void;

  /** `handOn` is called with each body that is there. */
  constructor(
    settings: HttpSettings,
    bodies: BodyBudget,
    responder: Responder,
    handOn: (exchange: Exchange, body: Uint8Array) => void,
  ) {
    this.#settings = settings;
    this.#bodies = bodies;
    this.#responder = responder;
    this.#handOn = handOn;
  }

  /** `length` is what the head declares, -1 where it declares none. */
  read(exchange: Exchange, length: number): void {
    const { request, response, connection } = exchange;
    const most = length < 0 ? this.#settings.bodyLimit : length;
    // Not kept for it, since it may never come; but what does not fit now need not begin.
    if (!this.#bodies.hasRoomFor(connection.caller, length))
      return this.#responder.refuse(exchange, BODIES_FULL);
    const body = new BodyBuffer();
    exchange.body = body;
    if (exchange.expectsContinue) response.writeContinue();
    request.on("data", (piece: Buffer) => {
      if (exchange.state !== "receiving") return;
      if (body.received + piece.length > most) return this.#responder.refuse(exchange, BODY_TOO_LARGE);
      if (!this.#bodies.take(connection.caller, piece.length))
        return this.#responder.refuse(exchange, BODIES_FULL);
      exchange.held += piece.length;
      body.add(piece, most);
      if (body.received === length) this.#received(exchange, body);
    });
    // A declared length says which piece is the last; otherwise the end has to come.
    if (length < 0) request.on("end", () => this.#received(exchange, body));
  }

  #received(exchange: Exchange, body: BodyBuffer): void {
    if (exchange.state !== "receiving") return;
    exchange.body = undefined;
    const bytes = body.bytes();
    body.drop(); // what listens to the request is there until its end
    if (exchange.coding === undefined) return this.#complete(exchange, bytes);
    const { bodyLimit } = this.#settings;
    decodeBody(exchange, bytes, bodyLimit, this.#bodies, (outcome) => this.#complete(exchange, outcome));
  }

  /** The body is there, as it is to be read, or cannot be. */
  #complete(exchange: Exchange, body: Uint8Array | Failure): void {
    try {
      if ("code" in body) this.#responder.problem(exchange, body);
      else this.#handOn(exchange, body);
    } catch (error) {
      this.#responder.thrown(exchange, error);
    }
  }
}
