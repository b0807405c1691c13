/** What has come, as programs see it. */
import { LintelError } from "../message/failure.ts";
import { isCode, reasonOr } from "../message/status.ts";
import type { ReceivedText } from "./api.ts";
import { headerOf, type TextHeaders, type TextMessage } from "./message.ts";
import { TextHeaderList } from "./text-headers.ts";

/** Headers are looked at when they are asked for: most handlers want the body alone. */
class Received implements ReceivedText {
  readonly target: string;
  readonly body: string;
  readonly #headers: TextHeaders;

  constructor({ target, headers, body }: TextMessage) {
    this.target = target;
    this.body = body;
    this.#headers = headers;
  }

  get headers(): TextHeaderList {
    return new TextHeaderList(this.#headers);
  }

  get cid(): string {
    return headerOf(this.#headers, "cid") ?? "";
  }

  get uid(): string {
    return headerOf(this.#headers, "uid") ?? "";
  }

  json(): unknown {
    return JSON.parse(this.body) as unknown;
  }
}

export function received(message: TextMessage): ReceivedText {
  return new Received(message);
}

/** Texts that say little without what follows them: `No responder for REQ Chat`. */
const INCOMPLETE = /(?: for| in| of|:)$|^Not trusted$/;

/** Why a request to this target was not answered, as a server says in the body of an ERROR: `<text> REQ <target>`. */
export function refusalOf({ headers, body }: TextMessage, target: string): LintelError {
  const end = ` REQ ${target}`;
  const text = body.endsWith(end) ? body.slice(0, -end.length) : body;
  return errorOf(headers, INCOMPLETE.test(text) ? body : text);
}

/** Any other ERROR of a server. */
export function complaintOf({ headers, body }: TextMessage): LintelError {
  return errorOf(headers, body);
}

/** Why an answer is no longer wanted. */
export function withdrawalOf({ headers }: TextMessage): LintelError {
  return LintelError.of(headerOf(headers, "reason") === "DEADLINE" ? "DEADLINE" : "CALLER_GONE");
}

/** The failure that a responder has answered with, which servers other than Lintel hand on; undefined for an answer. */
export function failureIn({ headers, body }: TextMessage): LintelError | undefined {
  const code = headerOf(headers, "error-code");
  return code === undefined ? undefined : lintelError(code, headerOf(headers, "error-reason"), body);
}

function errorOf(headers: TextHeaders, text: string): LintelError {
  const isRetryable = headerOf(headers, "retryable") === "true";
  return lintelError(headerOf(headers, "code"), headerOf(headers, "reason"), text, isRetryable);
}

/** What a newer server calls otherwise is `unknown`. */
function lintelError(
  named: string | undefined,
  reason: string | undefined,
  text: string,
  retryable = false,
): LintelError {
  const code = isCode(named) ? named : "unknown";
  return new LintelError(code, text, { reason: reasonOr(reason, code), retryable });
}
