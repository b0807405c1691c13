/** A request as it is sent to a worker. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Route } from "../../message/delivery.ts";
import { Format, type Message } from "../../message/message.ts";
import { FromHubSchema, type FromHub, type HeaderSchema } from "./generated/lintel/v1/worker_pb.ts";

const CONTENT_TYPE = "content-type";
/** Of payloads whose headers do not say it. */
const TYPES: Readonly<Record<Format, string>> = {
  [Format.typed]: "application/json",
  [Format.bytes]: "application/octet-stream",
  [Format.text]: "text/plain; charset=utf-8",
};

/** What the engine says of a job. */
export interface Handed {
  readonly job: number;
  readonly registration: number;
  readonly route: Route;
  readonly timeoutMs: number;
  readonly attempt: number;
}

/** The message that is sent; it is to be encoded before the request is given back. Throws what an encoder throws. */
export function jobOf({ job, registration, route, timeoutMs, attempt }: Handed, request: Message): FromHub {
  const { bytes, payloadStart, end, encoder, format } = request;
  const payload =
    encoder !== undefined || bytes.length === 0 ? request.payload() : request.view(payloadStart, end);
  let contentType = payload.length === 0 && format === Format.typed ? "" : TYPES[format];
  const headers: MessageInitShape<typeof HeaderSchema>[] = [];
  for (const [name, value] of request.headers) {
    if (name === CONTENT_TYPE) contentType = value;
    else headers.push({ name, value });
  }
  const value = {
    job,
    registration,
    subject: route.subject,
    payload,
    contentType,
    headers,
    deadlineMs: Math.max(0, Math.floor(timeoutMs)),
    attempt,
  };
  return create(FromHubSchema, { message: { case: "job", value } });
}
