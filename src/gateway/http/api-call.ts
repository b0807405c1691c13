import type { Admitted } from "../../access/admission.ts";
import type { Failure } from "../../message/failure.ts";
import type { Delivery, HttpApi } from "../http-api.ts";
import { bodyOfText } from "./encode.ts";
import type { Exchange, PendingCall } from "./connection.ts";
import type { Responder } from "./responder.ts";

const NO_BYTES = new Uint8Array(0);

/** An exchange as an API sees it. */
export class ApiCall implements PendingCall {
  body: Uint8Array = NO_BYTES;
  onGone: (() => void) | undefined = undefined;
  onChanged: (() => void) | undefined = undefined;
  readonly #exchange: Exchange;
  readonly #responder: Responder;
  readonly #api: HttpApi;

  constructor(exchange: Exchange, responder: Responder, api: HttpApi) {
    this.#exchange = exchange;
    this.#responder = responder;
    this.#api = api;
  }

  begin(): void {
    this.#api.take(this);
  }

  get method(): string {
    return this.#exchange.request.method ?? "";
  }

  get path(): string {
    return this.#exchange.path;
  }

  get query(): string {
    const { url } = this.#exchange;
    const mark = url.indexOf("?");
    return mark < 0 ? "" : url.slice(mark + 1);
  }

  get rawHeaders(): readonly string[] {
    return this.#exchange.request.rawHeaders;
  }

  get caller(): string {
    return this.#exchange.connection.caller;
  }

  get admitted(): Admitted {
    return this.#exchange.admitted;
  }

  get isOpen(): boolean {
    const { connection, state } = this.#exchange;
    return state === "running" && connection.state === "open" && connection.driver.isOpen;
  }

  dropBody(): void {
    this.body = NO_BYTES;
    this.#responder.giveBody(this.#exchange);
  }

  note(subject: string): void {
    this.#exchange.subject = subject;
  }

  changed(): void {
    this.onChanged?.();
  }

  answer(status: number, headers: string[], body?: string | Uint8Array, delivery?: Delivery): void {
    this.#forget();
    const sent = typeof body === "string" ? bodyOfText(body) : body;
    if (status !== 204) headers.push("Content-Length", String(sent?.length ?? 0));
    try {
      this.#responder.respond(this.#exchange, status, headers, sent, delivery);
    } catch (error) {
      this.#responder.thrown(this.#exchange, error); // a defect: nothing can be sent any more
      this.#exchange.connection.driver.cut();
      delivery?.lost();
    }
  }

  problem(failed: Failure, headers?: readonly string[]): void {
    this.#forget();
    this.#responder.problem(this.#exchange, failed, undefined, headers);
  }

  gone(): void {
    const { onGone } = this;
    this.#forget();
    onGone?.();
  }

  #forget(): void {
    this.onGone = undefined;
    this.onChanged = undefined;
  }
}
