import { urlText } from "../../message/url-text.ts";
import type { CommandLine } from "../line.ts";
import type { CommandTarget } from "./target.ts";

/** Where servers take WebSockets, for URLs without a path. */
const DEFAULT_PATH = "/socket";

/** Opens a WebSocket. */
export type WebDial = (url: string, signal: AbortSignal) => Promise<CommandLine>;

/** The server at a URL such as `ws://127.0.0.1:12000/socket?room=5`. Undefined for another scheme. Throws a TypeError for no URL. */
export function webTarget(given: string, dial: WebDial): CommandTarget | undefined {
  if (!/^wss?:/i.test(given)) return undefined;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const name = urlText(given);
  if (url === undefined || url.username !== "" || url.password !== "" || url.hash !== "")
    throw new TypeError(`"${name}" is not of the form ws://HOST:PORT/PATH?NAME=VALUE, or the same with wss`);
  if (url.pathname === "/") url.pathname = DEFAULT_PATH;
  return {
    name,
    hasQuery: true,
    dial: (signal, token) => {
      const dialed = new URL(url);
      if (token !== undefined) dialed.searchParams.set("token", token);
      return dial(dialed.href, signal);
    },
  };
}
