import type { Failure } from "../../../message/failure.ts";
import { MessageHeaders } from "../../../message/headers.ts";
import type { Message } from "../../../message/message.ts";
import { badAnswer, isHeaderField } from "../encode.ts";
import { isHopByHop } from "../hop-by-hop.ts";
import type { StreamForm } from "./form.ts";

/** Fields that a trailer must not have: proxies that forward the head have already acted on them (RFC 9110, section 6.5.1). */
const HEAD_ONLY = new Set(["content-length", "content-type", "content-encoding", "host", "set-cookie"]);

const MAX_TRAILERS = 100;

/** Bytes in messages, whose headers follow the body as trailers. */
export class PieceForm implements StreamForm {
  readonly eager = true;
  readonly comment = undefined;
  readonly trailers: [name: string, value: string][] = [];

  piece(message: Message): Uint8Array | Failure {
    const head = message.headText();
    if (head !== "") {
      for (const [name, value] of new MessageHeaders(head)) {
        if (name.startsWith(":") || isHopByHop(name) || HEAD_ONLY.has(name)) continue;
        if (!isHeaderField(name, value)) return badAnswer("it has a trailer that HTTP cannot carry");
        if (this.trailers.length >= MAX_TRAILERS)
          return badAnswer(`it has more than ${MAX_TRAILERS} trailers`);
        this.trailers.push([name, value]);
      }
    }
    return message.payload();
  }

  missing(): undefined {
    return undefined;
  }

  lastWords(): undefined {
    return undefined;
  }
}
