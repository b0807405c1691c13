/** What WebSocket connections share, in Node and in a browser. */
import { urlText } from "../message/url-text.ts";
import { hasSecret } from "./address.ts";
import { SESSION_PATH } from "./session-protocol.ts";

/**
 * Bytes in one message, both ways. Borders of messages mean nothing, so longer writes are cut; more from the other end
 * closes the connection with 1009. A frame of the default limits fits in.
 */
export const MAX_MESSAGE = 2_097_152;

/** Bytes under way before `send` asks to wait, where writing copies them anyway. */
export const WS_WINDOW = 262_144;

/** Close codes (RFC 6455, section 7.4.1) after which there is nothing to complain about. */
const ORDINARY_CLOSES: ReadonlySet<number> = new Set([1000, 1001, 1005]);

/** What a close code says went wrong, if anything did. */
export function closeError(code: number, reason: string): Error | undefined {
  if (ORDINARY_CLOSES.has(code)) return undefined;
  if (code === 1006) return new Error("the connection ended without a WebSocket close");
  return new Error(`the WebSocket was closed with ${code}${reason === "" ? "" : `: ${reason}`}`);
}

/**
 * Reads `ws://HOST[:PORT][/PATH]` or the same with `wss`; without a path it is that of sessions. Throws a TypeError that
 * gives this form.
 */
export function parseWs(url: string, scheme: "ws" | "wss"): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || hasSecret(parsed) || parsed.protocol !== `${scheme}:`) {
    throw new TypeError(`"${urlText(url)}" is not of the form ${scheme}://HOST:PORT/PATH`);
  }
  if (parsed.pathname === "/") parsed.pathname = SESSION_PATH;
  return parsed;
}
