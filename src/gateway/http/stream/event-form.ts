/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
import type { Failure } from "../../../message/failure.ts";
import { findHeader } from "../../../message/headers.ts";
import type { Message } from "../../../message/message.ts";
import { badAnswer } from "../encode.ts";
import { problemOf } from "../problem.ts";
import type { StreamForm } from "./form.ts";
import { payloadKind } from "./payload-kind.ts";

const LF = 10;
const CR = 13;
const DATA = Buffer.from("data: ");
// oxlint-disable-next-line no-control-regex -- a line end or NUL is what it must find
const UNFIT = /[\r\u0000]/;
const DIGITS = /^\d{1,16}$/;

/** Each value an event, its payload unread but for its line ends. */
export class EventForm implements StreamForm {
  readonly eager = true;
  readonly trailers: readonly [name: string, value: string][] = [];
  readonly comment = ":\n\n";

  piece(message: Message): Uint8Array | Failure {
    if (payloadKind(message) === "other")
      return badAnswer("a value of its sequence is neither JSON nor text");
    const head = message.headText();
    const fields = head === "" ? "" : fieldsOf(head);
    if (fields === undefined) return badAnswer("an event has a field that cannot be sent");
    return eventOf(fields, message.payload());
  }

  missing(): undefined {
    return undefined;
  }

  lastWords(why: Failure): Uint8Array {
    return eventOf("event: error\n", problemOf(why).body);
  }
}

function fieldsOf(head: string): string | undefined {
  const id = findHeader(head, ":id");
  const name = findHeader(head, ":event");
  const retry = findHeader(head, ":retry");
  let fields = "";
  if (id !== undefined) {
    if (UNFIT.test(id)) return undefined;
    fields += `id: ${id}\n`;
  }
  if (name !== undefined) {
    if (UNFIT.test(name)) return undefined;
    fields += `event: ${name}\n`;
  }
  if (retry !== undefined) {
    if (!DIGITS.test(retry)) return undefined;
    fields += `retry: ${retry}\n`;
  }
  return fields;
}

/** The event with these fields; every line of the data has its own `data:`. */
function eventOf(fields: string, data: Uint8Array): Uint8Array {
  const lines = countLines(data);
  const fieldsLength = Buffer.byteLength(fields);
  // A CR and LF in one is counted as two line ends here: then a byte too much, never one too few.
  const event = Buffer.allocUnsafe(fieldsLength + data.length + lines * (DATA.length + 1) + 1);
  let at = event.write(fields);
  let start = 0;
  for (;;) {
    const end = lineEnd(data, start);
    at += DATA.copy(event, at);
    event.set(data.subarray(start, end), at);
    at += end - start;
    event[at++] = LF;
    if (end === data.length) break;
    start = data[end] === CR && data[end + 1] === LF ? end + 2 : end + 1;
  }
  event[at++] = LF;
  return event.subarray(0, at);
}

function countLines(data: Uint8Array): number {
  let lines = 1;
  for (let at = lineEnd(data, 0); at < data.length; at = lineEnd(data, at + 1)) lines++;
  return lines;
}

/** Where the line ends that begins at `start`. */
function lineEnd(data: Uint8Array, start: number): number {
  for (let at = start; at < data.length; at++) if (data[at] === LF || data[at] === CR) return at;
  return data.length;
}
