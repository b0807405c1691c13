/** Actions that the gateway answers itself. */
import { membersOf, textAt } from "../../codec/json-slices.ts";
import { CommandException } from "../../commands/error.ts";
import { LintelError } from "../../message/failure.ts";
import { subjectOf } from "../../message/foreign-name.ts";
import { encodeUtf8 } from "../../message/text.ts";
import type { Announcements } from "./announcements.ts";
import type { ClientCalls } from "./calls.ts";
import { messageOf } from "./decode.ts";
import type { ClientPrincipal } from "./principal.ts";

/** The connection that an action came on. */
export interface BuiltInHost {
  readonly principal: ClientPrincipal;
  readonly maxPayload: number;
  readonly announcements: Announcements;
  readonly calls: ClientCalls;
}

export interface BuiltIn {
  /** It is there for clients that have not shown who they are. */
  readonly isOpen?: boolean;
  /** Returns, or resolves with, the body of the reply. Throws and rejects with why there is none. */
  readonly run: (host: BuiltInHost, body: unknown, bodyText: string | undefined) => unknown;
}

export const BUILT_IN: ReadonlyMap<string, BuiltIn> = new Map<string, BuiltIn>([
  ["drs.ping", { isOpen: true, run: () => Date.now() }],
  [
    "drs.kaboom",
    {
      isOpen: true,
      run: () => {
        throw new CommandException("kaboom");
      },
    },
  ],
  ["lintel.serve", { run: ({ announcements }, body) => announcements.serve(body) }],
  ["lintel.unserve", { run: ({ announcements }, body) => announcements.unserve(body) }],
  ["lintel.subscribe", { run: ({ announcements }, body) => announcements.subscribe(body) }],
  ["lintel.unsubscribe", { run: ({ announcements }, body) => announcements.unsubscribe(body) }],
  ["lintel.enable", { run: ({ announcements }, body) => announcements.enable(body) }],
  ["lintel.disable", { run: ({ announcements }, body) => announcements.disable(body) }],
  ["lintel.publish", { run: publish }],
  ["lintel.cancel", { run: cancel }],
]);

/** Resolves when the publication was taken (C-50). */
function publish({ principal, maxPayload }: BuiltInHost, said: unknown, saidText?: string): unknown {
  const { action, body } = objectIn(said);
  const subject = typeof action === "string" ? subjectOf(action) : undefined;
  if (subject === undefined) throw LintelError.of("BAD_SUBJECT", "`action` must be a name");
  const publication = messageOf({ body, bodyText: saidText === undefined ? undefined : bodyIn(saidText) });
  if (publication.end > maxPayload) throw LintelError.of("TOO_LARGE", `the body is over ${maxPayload} bytes`);
  const { engine } = principal.admitted;
  return engine.publish(engine.route(subject), publication);
}

/** The member `body` of an object, as it was written. */
function bodyIn(object: string): string | undefined {
  const bytes = encodeUtf8(object);
  const slice = membersOf(bytes).get("body");
  return slice === undefined ? undefined : textAt(bytes, slice);
}

function cancel({ calls }: BuiltInHost, said: unknown): void {
  const { key } = objectIn(said);
  if (typeof key !== "string") throw new LintelError("invalid_argument", "`key` must be text");
  calls.cancel(key);
}

function objectIn(said: unknown): Readonly<Record<string, unknown>> {
  if (typeof said === "object" && said !== null && !Array.isArray(said))
    return said as Readonly<Record<string, unknown>>;
  throw new LintelError("invalid_argument", "the body must be an object");
}
