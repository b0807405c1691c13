/** Failures as problem details (RFC 9457): the same members for every failure, over every gateway, and never a stack. */
import type { Failure } from "./failure.ts";
import { REASONS, reasonOr, type Reason } from "./status.ts";

export interface ProblemText {
  readonly reason: string;
  /** JSON. */
  readonly text: string;
}

/** What `application/problem+json` says of a failure that is sent with this status. */
export function problemText(failed: Failure, status: number): ProblemText {
  const reason = reasonOr(failed.reason, failed.code);
  const members = JSON.stringify({
    type: `urn:lintel:${reason}`,
    title: titleOf(failed, reason),
    status,
    detail: failed.message,
    code: failed.code,
    reason,
    retryable: failed.retryable,
  });
  const details = failed.details === undefined ? undefined : jsonText(failed.details);
  return { reason, text: details === undefined ? members : `${members.slice(0, -1)},"details":${details}}` };
}

function titleOf(failed: Failure, reason: string): string {
  if (Object.hasOwn(REASONS, reason)) {
    const row = REASONS[reason as Reason];
    if (row.code === failed.code) return row.text;
  }
  return failed.code.replaceAll("_", " ");
}

/** Details as they came, provided they are JSON: they are put into the problem unread otherwise. */
function jsonText(details: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(details);
    JSON.parse(text);
    return text;
  } catch {
    return undefined; // details are a courtesy; a sender that garbles them must not hide the failure
  }
}
