/** Values as lines of JSON: https://github.com/ndjson/ndjson-spec */
import { readStrictUtf8 } from "../../../codec/strict-text.ts";
import type { Failure } from "../../../message/failure.ts";
import type { Message } from "../../../message/message.ts";
import { badAnswer } from "../encode.ts";
import type { StreamForm } from "./form.ts";
import { payloadKind } from "./payload-kind.ts";

const LF = 10;
const CR = 13;
const SPACE = 32;
const NULL_LINE = Buffer.from("null\n");

/** Each value a line. JSON is not read: a line end in it can only be white space between its tokens. */
export class LineForm implements StreamForm {
  readonly eager = false;
  readonly trailers: readonly [name: string, value: string][] = [];
  readonly comment = undefined;

  piece(message: Message): Uint8Array | Failure {
    const kind = payloadKind(message);
    const payload = message.payload();
    if (kind === "text") {
      const text = readStrictUtf8(payload, 0, payload.length);
      if (text === undefined) return badAnswer("a text of its sequence is not UTF-8");
      return Buffer.from(`${JSON.stringify(text)}\n`);
    }
    if (kind !== "json") return badAnswer("a value of its sequence is neither JSON nor text");
    if (payload.length === 0) return NULL_LINE;
    const line = Buffer.allocUnsafe(payload.length + 1);
    line.set(payload);
    for (let at = 0; at < payload.length; at++) if (line[at] === LF || line[at] === CR) line[at] = SPACE;
    line[payload.length] = LF;
    return line;
  }

  missing(): undefined {
    return undefined;
  }

  lastWords(): undefined {
    return undefined;
  }
}
