import { parseExactJson, stringifyExactJson } from "../codec/exact-json.ts";
import { inOneLine, membersOf, textAt } from "../codec/json-slices.ts";
import { undecodable } from "../codec/refusal.ts";
import { encodeUtf8 } from "../message/text.ts";
import { commandOf } from "./command-of.ts";
import type { Command } from "./command.ts";
import { JsonObjectStream } from "./json-stream.ts";
import type { CommandProtocol } from "./protocol.ts";

/**
 * Commands as JSON objects, one after the other. A line feed follows each, for people and for readers by line; a reader of this
 * protocol needs nothing between them.
 */
export const jsonCommands: CommandProtocol = {
  name: "json",

  decoder({ maxCommand, budget }) {
    const stream = new JsonObjectStream(maxCommand, budget);
    return {
      push: (chunk, take) => stream.push(chunk, (text) => take(readCommand(text), text.length)),
      end: () => stream.end(),
    };
  },

  encode({ key, action, body, version, timeout }) {
    const keyPart = key === undefined ? "" : `"key":${JSON.stringify(key)},`;
    const bodyText = body === undefined || body === null ? undefined : stringifyExactJson(body);
    const bodyPart = bodyText === undefined || bodyText === "null" ? "" : `,"body":${bodyText}`;
    const versionPart = version === undefined ? "" : `,"version":${version}`;
    const timeoutPart = timeout === undefined ? "" : `,"timeout":${timeout}`;
    return `{${keyPart}"action":${JSON.stringify(action)}${bodyPart}${versionPart}${timeoutPart}}\n`;
  },
};

/** A command that was read from JSON. */
class JsonCommand implements Command {
  readonly key: string | undefined;
  readonly action: string;
  readonly body: unknown;
  readonly version: number | undefined;
  readonly timeout: number | undefined;
  readonly #text: string;

  constructor(text: string, { key, action, body, version, timeout }: Command) {
    this.key = key;
    this.action = action;
    this.body = body;
    this.version = version;
    this.timeout = timeout;
    this.#text = text;
  }

  get bodyText(): string | undefined {
    if (this.body === undefined) return undefined;
    const json = encodeUtf8(this.#text);
    return inOneLine(textAt(json, membersOf(json).get("body")!)); // it has a body
  }
}

function readCommand(text: string): Command {
  let fields: unknown;
  try {
    fields = parseExactJson(text);
  } catch (error) {
    throw undecodable("a command", (error as Error).message, undefined, error);
  }
  return new JsonCommand(text, commandOf(fields));
}
