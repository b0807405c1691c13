/** What a server of `node:http` writes, read back: the head as a header block, the body without its framing. */
import { isLength } from "../message/declared-length.ts";
import { LintelError } from "../message/failure.ts";

/** Largest head. Bytes. */
const MAX_HEAD = 65_535;
/** Longest line with the size of a chunk. Bytes. */
const MAX_LINE = 256;
const CRLF = "\r\n";
const STATUS = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/;
/** What concerns the connection to the app and no other. */
const DROPPED = new Set(["connection", "keep-alive", "transfer-encoding", "trailer", "upgrade"]);

/**
 * | state    | what comes next                       | next                                  |
 * |----------|---------------------------------------|---------------------------------------|
 * | head     | status line and fields                | head (1xx), sized, size, rest, done   |
 * | sized    | a body of known length                | done                                  |
 * | size     | the line before a chunk               | chunk, trailer                        |
 * | chunk    | a chunk                               | chunkEnd                              |
 * | chunkEnd | the line end behind it                | size                                  |
 * | trailer  | fields behind the last chunk          | done                                  |
 * | rest     | a body that ends with the connection  | done                                  |
 * | done     | nothing                               |                                       |
 */
export class ResponseReader {
  state: "head" | "sized" | "size" | "chunk" | "chunkEnd" | "trailer" | "rest" | "done" = "head";
  /** `:status` and fields, when the head is there. */
  head = "";
  /** Value of the `Trailer` field. */
  announced: string | undefined;
  /** Fields behind the body. */
  trailers = "";
  /** True when what has come begins as a response does. */
  isHttp = false;
  /** True when another request may follow on the connection. */
  keepsAlive = true;
  readonly #isHead: boolean;
  /** Of a head or line that is not whole. */
  #text = "";
  #left = 0;
  #pieces: Uint8Array[] = [];
  #size = 0;

  /** `isHead`: the request was a HEAD, so no body follows whatever the fields say. */
  constructor(isHead: boolean) {
    this.#isHead = isHead;
  }

  /** Bytes of the body that were read and not taken. */
  get size(): number {
    return this.#size;
  }

  /** Why a response that has ended is not whole. */
  missing(): LintelError {
    if (this.state !== "sized") return bad("it ended before its end");
    return bad(`its body ended ${this.#left} bytes before its content-length`);
  }

  /** What is wrong with a response that goes on after its end. */
  excess(): LintelError {
    return bad("its body is longer than its content-length");
  }

  /** The pieces of the body that have come since the last call. */
  take(): Uint8Array[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#size = 0;
    return pieces;
  }

  /** Reads on. Throws `BAD_ANSWER` for what is no response. */
  feed(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      switch (this.state) {
        case "head":
        case "trailer":
          at = this.#fields(bytes, at);
          break;
        case "size":
        case "chunkEnd":
          at = this.#line(bytes, at);
          break;
        case "sized":
        case "chunk":
        case "rest":
          at = this.#body(bytes, at);
          break;
        case "done":
          throw this.excess();
        default:
      }
    }
  }

  /** The connection has ended. False when the response is not whole. */
  end(): boolean {
    if (this.state === "rest") this.state = "done";
    return this.state === "done";
  }

  /** A head, or the fields behind a body: up to an empty line. */
  #fields(bytes: Buffer, at: number): number {
    const before = this.#text.length;
    // The line end may be split between what is kept and what has come.
    const from = Math.max(0, before - 3);
    const most = Math.min(bytes.length, at + MAX_HEAD + 4 - before);
    const text = this.#text + bytes.toString("latin1", at, most);
    const isEmpty = this.state === "trailer" && text.startsWith(CRLF);
    const end = isEmpty ? 0 : text.indexOf("\r\n\r\n", from);
    if (end < 0) {
      if (text.length >= MAX_HEAD) throw bad("its headers are over the limit");
      this.#text = text;
      return bytes.length;
    }
    this.#text = "";
    const next = at + end + (isEmpty ? 2 : 4) - before;
    if (this.state === "head") this.#begin(text.slice(0, end));
    else {
      this.trailers = isEmpty ? "" : fieldsOf(text.slice(0, end).split(CRLF)).block;
      this.state = "done";
    }
    return next;
  }

  #begin(text: string): void {
    const [first = "", ...lines] = text.split(CRLF);
    const status = STATUS.exec(first)?.[1];
    if (status === undefined) throw bad("it does not begin with a status");
    this.isHttp = true;
    if (status === "101") throw bad("it switches protocols, which is not supported here");
    if (status.startsWith("1")) return;
    const { block, framing } = fieldsOf(lines);
    this.head = `:status:${status}\n${block}`;
    this.announced = framing.get("trailer");
    const connection = framing.get("connection")?.toLowerCase() ?? "";
    const length = framing.get("content-length");
    if (length !== undefined && !isLength(length)) throw bad("its content-length is not a number of bytes");
    this.keepsAlive = first.startsWith("HTTP/1.1") && !connection.includes("close");
    if (this.#isHead || status === "204" || status === "304") {
      this.state = "done";
    } else if (framing.get("transfer-encoding")?.toLowerCase() === "chunked") {
      this.state = "size";
    } else if (length !== undefined) {
      this.#left = Number(length);
      this.state = this.#left === 0 ? "done" : "sized";
    } else this.state = "rest";
  }

  /** The line before a chunk, or the end of the line behind it. */
  #line(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(10, at);
    const text = this.#text + bytes.toString("latin1", at, end < 0 ? bytes.length : end + 1);
    if (text.length > MAX_LINE) throw bad("a chunk has no size");
    this.#text = end < 0 ? text : "";
    if (end < 0) return bytes.length;
    if (this.state === "chunkEnd") {
      if (text !== CRLF) throw bad("a chunk is longer than it says");
      this.state = "size";
    } else {
      if (!/^[0-9A-Fa-f]{1,12}(?:;.*)?\r\n$/.test(text)) throw bad("a chunk has no size");
      this.#left = Number.parseInt(text, 16);
      this.state = this.#left === 0 ? "trailer" : "chunk";
    }
    return end + 1;
  }

  #body(bytes: Buffer, at: number): number {
    const end = this.state === "rest" ? bytes.length : Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    this.#pieces.push(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    this.#size += end - at;
    if (this.state !== "rest" && this.#left === 0) this.state = this.state === "chunk" ? "chunkEnd" : "done";
    return end;
  }
}

/** Fields as a header block, and those that say how the message is framed. */
function fieldsOf(lines: readonly string[]): { block: string; framing: Map<string, string> } {
  const framing = new Map<string, string>();
  let block = "";
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw bad("it has a header without a name");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (value.includes("\n") || name.includes("\n")) throw bad("it has a header with a line end");
    if (DROPPED.has(name) || name === "content-length") {
      const other = framing.get(name);
      framing.set(name, other === undefined ? value : `${other}, ${value}`);
    }
    if (!DROPPED.has(name)) block += `${name}:${value}\n`;
  }
  return { block, framing };
}

function bad(why: string): LintelError {
  return LintelError.of("BAD_ANSWER", `the app answered, but ${why}`);
}
