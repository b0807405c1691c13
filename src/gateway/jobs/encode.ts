/** How jobs look in the answer to a poll. */
import { isUtf8 } from "node:buffer";
import { Wishes } from "../../codec/accept.ts";
import { base64Of } from "../../codec/base64.ts";
import { charsetOf } from "../../codec/charset.ts";
import { form as htmlForm } from "../../codec/form.ts";
import { json } from "../../codec/json.ts";
import { deeperThan } from "../../codec/json-nesting.ts";
import { MAX_DEPTH } from "../../codec/refusal.ts";
import { builtInFor, valueOf } from "../../codec/values.ts";
import { findHeader } from "../../message/headers.ts";
import { Format, type Message } from "../../message/message.ts";
import { readUtf8 } from "../../message/text.ts";
import type { Job } from "./job.ts";

/** `json`: the request inside a JSON object. `raw`: the request as it is, all else in headers. `astrohub`: base64. */
export type JobForm = "json" | "raw" | "astrohub";

const TYPES: Readonly<Record<JobForm, string>> = {
  json: "application/json",
  raw: "application/octet-stream",
  astrohub: "application/vnd.astrohub+json",
};
const FORMS = Object.keys(TYPES) as JobForm[]; // its keys are no others
const BRACE = 0x7b;
const BRACKET = 0x5b;
// oxlint-disable-next-line no-control-regex -- control characters are what it must find
const BAD_VALUE = /[^\t -~\u0080-\u00ff]/;
/** Text that is the same inside quotation marks. */
const PLAIN = /^[ !#-[\]-~]*$/;
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** The form a worker likes best by its Accept header. */
export function formFor(accept: string | undefined, usual: JobForm): JobForm {
  if (accept === undefined || accept === "*/*") return usual;
  const wishes = new Wishes(accept);
  let best = usual;
  for (const one of FORMS) {
    if (wishes.weightOf(TYPES[one]) > wishes.weightOf(TYPES[best])) best = one;
  }
  return best;
}

/** What is sent. */
export interface JobsBody {
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: string | Uint8Array;
}

/** What a worker is told of a job besides its request. */
interface Terms {
  readonly service: string;
  readonly attempts: number;
  /** Milliseconds that are left. */
  readonly deadline: number;
  readonly lease: number;
}

/** The answer with one job, at the time `now` of the clock. */
export function oneJob(form: JobForm, job: Job, service: string, now: number): JobsBody {
  const terms = termsOf(job, service, now);
  const request = job.request!;
  const headers = ["Content-Type", TYPES[form], ...termHeaders(job, terms)];
  if (form !== "raw") return { headers, body: jobText(form, job, terms) };
  headers[1] = contentTypeOf(request);
  headers.push(...requestHeaders(request));
  return { headers, body: request.payload() };
}

/** The answer with an array of jobs, in a form other than `raw`. */
export function severalJobs(form: JobForm, jobs: readonly Job[], service: string, now: number): JobsBody {
  const texts = jobs.map((job) => jobText(form, job, termsOf(job, service, now)));
  return { headers: ["Content-Type", TYPES[form]], body: `[${texts.join(",")}]` };
}

function termsOf({ attempt, deadline, leaseEnds }: Job, service: string, now: number): Terms {
  const left = (until: number): number => Math.max(0, Math.floor(until - now));
  return { service, attempts: attempt, deadline: left(deadline), lease: left(leaseEnds) };
}

function termHeaders({ id }: Job, { service, attempts, deadline, lease }: Terms): string[] {
  return [
    "Lintel-Job",
    id,
    "Lintel-Service",
    service,
    "Lintel-Attempts",
    String(attempts),
    "Lintel-Deadline",
    String(deadline),
    "Lintel-Lease",
    String(lease),
  ];
}

function jobText(form: JobForm, { id, request }: Job, terms: Terms): string {
  if (form === "astrohub") return `{"id":"${id}","originalRequest":"${base64Of(request!.payload())}"}`;
  const [encoding, value] = valueText(request!);
  const { service, attempts, deadline, lease } = terms;
  return (
    `{"id":"${id}","originalRequest":${value},"encoding":"${encoding}","service":"${service}",` +
    `"attempts":${attempts},"deadline":${deadline},"lease":${lease}${headText(request!)}}`
  );
}

/** The fields that come from the head of the request. Values of a repeated header are joined as HTTP does. */
function headText(request: Message): string {
  const values = new Map<string, string>();
  for (const [name, value] of request.headers) {
    const before = values.get(name);
    if (before === undefined) values.set(name, value);
    else if (!name.startsWith(":")) values.set(name, `${before}, ${value}`);
  }
  let from = "";
  let headers = "";
  for (const [name, value] of values) {
    if (!name.startsWith(":")) headers += `${headers === "" ? "" : ","}${quoted(name)}:${quoted(value)}`;
    else if (name === ":method" || name === ":path") from += `,"${name.slice(1)}":${quoted(value)}`;
  }
  return `${from},"headers":{${headers}}`;
}

/** As `JSON.stringify`, which is slow to be called for little. */
function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

type Encoding = "none" | "json" | "text" | "base64";

/**
 * The request's payload as JSON text. JSON is put in as it came: numbers keep their digits. It is parsed all the same, for
 * what is none, or deeper than parsers take, would spoil the whole answer, and the other jobs in it.
 */
function valueText(request: Message): [encoding: Encoding, text: string] {
  const { bytes, payloadStart, end, format } = request; // its payload is bytes, for it was retained
  if (payloadStart === end) return ["none", "null"];
  const payload = request.payload();
  const type = findHeader(request.headText(), "content-type") ?? TYPES.json;
  const codec = format === Format.typed ? builtInFor(type) : undefined;
  if (codec !== undefined && charsetOf(type) !== undefined) return inCharset(request, payload);
  const isText = format === Format.text || codec !== undefined;
  if (!isText || !isUtf8(payload)) return ["base64", `"${base64Of(payload)}"`];
  const text = readUtf8(bytes, payloadStart, end);
  const first = bytes[payloadStart];
  if (codec === json || (codec === htmlForm && (first === BRACE || first === BRACKET))) {
    if (deeperThan(MAX_DEPTH, bytes, payloadStart, end) < 0 && isJson(text)) return ["json", text];
  }
  return ["text", JSON.stringify(text)];
}

/** The value as its content type has it; bytes where it cannot be read. */
function inCharset(request: Message, payload: Uint8Array): [encoding: Encoding, text: string] {
  try {
    const value = valueOf(request);
    return [typeof value === "string" ? "text" : "json", JSON.stringify(value)];
  } catch {
    return ["base64", `"${base64Of(payload)}"`];
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // the sender calls it JSON, its reader may know better
  }
}

function contentTypeOf(request: Message): string {
  const named = findHeader(request.headText(), "content-type");
  if (named !== undefined && !BAD_VALUE.test(named)) return named;
  if (request.format === Format.text) return "text/plain; charset=utf-8";
  return request.format === Format.bytes ? TYPES.raw : TYPES.json;
}

/** The request's headers, under names of their own. Those that HTTP cannot carry are left out. */
function requestHeaders(request: Message): string[] {
  const headers: string[] = [];
  for (const [name, value] of request.headers) {
    if (BAD_VALUE.test(value)) continue;
    if (name === ":method") headers.push("Lintel-Method", value);
    else if (name === ":path") headers.push("Lintel-Path", value);
    else if (TOKEN.test(name)) headers.push(`Lintel-Header-${name}`, value);
  }
  return headers;
}
