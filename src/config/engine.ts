/** The `engine` of the configuration: another hub, which routes the messages. */
import type { EngineAt } from "../engine/engine-at.ts";
import { either, hinted, map, option, text, turned, type Field } from "../schema/fields.ts";
import type { Section } from "../schema/section.ts";
import { dialTls, listenUrl } from "../transport/config.ts";

interface EngineEntry extends EngineAt {
  readonly token?: string;
}

const fields: Field<EngineEntry> = map<EngineEntry>(
  "engine",
  {
    url: option("a URL where the other hub listens for sessions: `tcp://other:4500`", listenUrl()),
    tls: option(
      "certificates for the connection, if the URL uses them",
      dialTls(),
      "the system's authorities",
    ),
    token: option("shows the other hub who this one is", hinted(text(), { isSecret: true })),
    keyFile: option(
      "in place of `token`: a file with a key, which is read before each attempt to connect",
      hinted(text(), { isPath: true }),
    ),
  },
  ["url"],
  { lintel: { short: "url" } },
);

export const engine: Section<EngineAt> = {
  schema: option(
    "Another hub, which all gateways are in front of: its URL, or a map. Without it the hub routes by itself.",
    either(
      "the URL of a hub, or a map",
      turned(listenUrl(), (url): EngineEntry => ({ url })),
      fields,
    ),
  ),
  flags: [
    { flag: "--engine <url>", about: "another hub, which routes the messages", path: ["engine", "url"] },
  ],
  examples: ["lintel serve --engine tcp://other:4500 --listen tcp://127.0.0.1:4501"],
};
