import type { IncomingMessage } from "node:http";
import type { ConnectionOptions } from "node:tls";
import { WebSocket } from "ws";
import { bareHost } from "../address.ts";
import { SESSION_PROTOCOL } from "../session-protocol.ts";
import { explainTls } from "../tls-errors.ts";
import type { Connection, DialOptions } from "../transport.ts";
import { WS_SETTINGS, WsConnection } from "./connection.ts";
import { WsFramer } from "./framer.ts";

/** A server that takes the connection and says nothing is given up after this long, when nothing else was said. */
const DIAL_TIMEOUT_MS = 10_000;
/** Of an answer that is no upgrade, so much is read to say why. */
const MAX_ANSWER = 4_096;

/** Opens a WebSocket and waits until it is open. `client` has the options of TLS. */
export function dialWs(url: URL, options: DialOptions, client: ConnectionOptions): Promise<Connection> {
  const { timeoutMs = DIAL_TIMEOUT_MS, signal, tls } = options;
  const name = tls?.serverName ?? bareHost(url);
  return new Promise((resolve, reject) => {
    const websocket = new WebSocket(url, [SESSION_PROTOCOL], {
      ...WS_SETTINGS,
      ...client,
      followRedirects: false,
    });
    const fail = (error: Error): void => {
      settle();
      reject(explainTls(error, name));
      websocket.terminate();
    };
    const onAbort = (): void => fail(new Error("dialing was aborted"));
    const timer = setTimeout(() => fail(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    websocket.on("error", fail); // stays: giving up makes an error of its own
    websocket.once("unexpected-response", (_request, response) => {
      const refused = (detail: string): void => fail(new Error(`${url.href} answered ${detail}`));
      readAnswer(response, refused);
    });
    // 'open' follows in the same turn, if the answer is in order.
    websocket.once("upgrade", ({ socket }) => {
      websocket.once("open", () => {
        settle();
        websocket.off("error", fail);
        const framer = new WsFramer("client");
        resolve(new WsConnection(websocket, { remote: url.href, socket, framer }));
      });
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Calls back with the status of an answer, and what it says in detail if it is a problem. */
function readAnswer(response: IncomingMessage, done: (detail: string) => void): void {
  const status = `${response.statusCode} ${response.statusMessage ?? ""}`.trimEnd();
  let text = "";
  response.setEncoding("utf8");
  response.on("data", (part: string) => {
    text += part;
    if (text.length > MAX_ANSWER) response.destroy();
  });
  response.on("error", () => undefined); // 'close' follows; what has come so far will do
  response.on("close", () => {
    const detail = detailOf(text);
    done(detail === undefined ? status : `${status}: ${detail}`);
  });
}

function detailOf(text: string): string | undefined {
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem !== "object" || problem === null || !("detail" in problem)) return undefined;
    return typeof problem.detail === "string" ? problem.detail : undefined;
  } catch {
    return undefined; // not a problem of ours: the status has to do
  }
}
