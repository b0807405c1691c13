/** What has come, as programs see it. */
import { LintelError } from "../message/failure.ts";
import { CODES, type Code } from "../message/status.ts";
import type { ReceivedText } from "./api.ts";
import { headerOf, type TextMessage } from "./message.ts";
import { TextHeaderList } from "./text-headers.ts";

export function received({ target, headers, body }: TextMessage): ReceivedText {
  return {
    target,
    body,
    headers: new TextHeaderList(headers),
    cid: headerOf(headers, "cid") ?? "",
    uid: headerOf(headers, "uid") ?? "",
    json: () => JSON.parse(body) as unknown,
  };
}

/** What the server says that it has not done. */
export interface Refusal {
  readonly error: LintelError;
  /** The command that was refused; empty where it is not told. */
  readonly command: string;
  /** The client's own name for the request. */
  readonly reqId: string | undefined;
}

const COMMANDS = /^(.*?) (PUB|SUB|UNS|REQ|RES|EPUB|ESUB|EREQ|INT) /s;

export function refusalIn({ headers, body }: TextMessage): Refusal {
  const [, told, command = ""] = COMMANDS.exec(body) ?? [];
  const code = headerOf(headers, "code");
  const reason = headerOf(headers, "reason");
  const error = new LintelError(code !== undefined && isCode(code) ? code : "unknown", told ?? body, {
    ...(reason !== undefined && /^[A-Z0-9_]{1,64}$/.test(reason) ? { reason } : {}),
    retryable: headerOf(headers, "retryable") === "true",
  });
  return { error, command, reqId: headerOf(headers, "reqid") };
}

function isCode(text: string): text is Code {
  return Object.hasOwn(CODES, text);
}
