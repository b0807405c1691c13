/** What a command sends: the bytes as they were given, marked as JSON where they are. */
import type { HeadersInit } from "../message/headers.ts";
import { CliError, Exit, usage } from "./failure.ts";
import type { Headers } from "./flags.ts";

/** More is refused before it fills the memory; hubs take far less. */
const MAX_BODY = 268_435_456;

export interface Outgoing {
  readonly value: string | Uint8Array | undefined;
  readonly headers: HeadersInit;
}

/** The BODY argument: text as it stands, `-` for the bytes of stdin, nothing for no body. */
export async function readBody(argument: string | undefined): Promise<string | Uint8Array | undefined> {
  return argument === "-" ? readStdin() : argument;
}

/**
 * Marks a body with its content type. An object or array in JSON is sent as JSON, as the HTTP gateway does for `curl -d`;
 * with `json` any JSON value is, and anything else is refused. A content type among the headers has the last word.
 */
export function toOutgoing(
  value: string | Uint8Array | undefined,
  headers: Headers = {},
  json = false,
): Outgoing {
  if (value === undefined) {
    if (json) throw usage("--json needs a body");
    return { value, headers };
  }
  const problem = json ? jsonProblem(value) : undefined;
  if (problem !== undefined) throw usage(`the body is not JSON: ${problem}`);
  if ("content-type" in headers || !(json || looksLikeJson(value))) return { value, headers };
  return { value, headers: { ...headers, "content-type": "application/json" } };
}

function looksLikeJson(value: string | Uint8Array): boolean {
  const start = typeof value === "string" ? value.trimStart()[0] : firstCharacter(value);
  return (start === "{" || start === "[") && jsonProblem(value) === undefined;
}

function firstCharacter(bytes: Uint8Array): string | undefined {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === undefined ? undefined : String.fromCharCode(first);
}

function jsonProblem(value: string | Uint8Array): string | undefined {
  try {
    JSON.parse(typeof value === "string" ? value : new TextDecoder("utf-8", { fatal: true }).decode(value));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_BODY)
      throw new CliError(Exit.failed, "TOO_LARGE", `stdin has more than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
