/**
 * A client of the text protocol that shares no code with the gateway: plain WebSockets, and a writer and a reader of
 * messages that are as simple as the protocol allows. The reader is strict.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { sha256Of } from "../../../src/access/keys/key.ts";
import type { AccessOptions } from "../../../src/access/access-options.ts";
import { createHub, type Hub } from "../../../src/hub/hub.ts";

/** The keys of the original. */
export const SERVICE = "xyzzy";
export const CLIENT = "plugh";
export const OBSERVER = "jabberwocky";

const ACCESS: AccessOptions = {
  keys: [
    { name: "service", role: "service", sha256: sha256Of(SERVICE) },
    { name: "client", role: "client", sha256: sha256Of(CLIENT) },
    { name: "super", role: "observer", sha256: sha256Of(OBSERVER) },
  ],
};

/** A hub with those keys and a text gateway on a port of its own. `timeout` is that of requests. */
export function openTextHub(timeout = "30s"): Promise<Hub> {
  const text = { listen: "127.0.0.1:0", timeout };
  return createHub({ http: false, listen: [], access: ACCESS, text });
}

export type Header = readonly [name: string, value: string];

export interface TextFrame {
  readonly command: string;
  readonly target: string;
  readonly headers: readonly Header[];
  readonly body: string;
}

const END = "\r\n.\r\n";

/** Line ends are CRLF unless something else is asked for; those of the body stay what they are. */
export function writeFrame({ command, target, headers, body }: TextFrame, end = "\r\n"): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}${end}`).join("");
  return `${command} ${target}${end}${lines}${end}${body.replaceAll(/(^|\n)\./g, "$1..")}${end}.${end}`;
}

/** Throws for whatever the gateway must not send. */
export function readFrame(text: string): TextFrame {
  assert.ok(text.endsWith(END), `no dot at the end: ${shown(text)}`);
  const [first = "", ...lines] = text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n");
  const space = first.indexOf(" ");
  assert.ok(space > 0 && !first.includes("\n"), `no command and target: ${shown(text)}`);
  const stuffed = text.slice(text.indexOf("\r\n\r\n") + 4, -END.length);
  assert.doesNotMatch(stuffed, /(^|\n)\.(?!\.)/, "a lone dot");
  return {
    command: first.slice(0, space),
    target: first.slice(space + 1),
    headers: lines.map((line) => {
      const colon = line.indexOf(":");
      assert.ok(colon >= 0 && !line.includes("\n"), `not a header: ${shown(line)}`);
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
    body: stuffed.replaceAll(/(^|\n)\.\./g, "$1."),
  };
}

function shown(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}...` : text);
}

export function headerOf(frame: TextFrame, name: string): string | undefined {
  return frame.headers.find(([key]) => key === name)?.[1];
}

export class OriginalText implements AsyncDisposable {
  readonly socket: WebSocket;
  /** The connection's id, from the greeting. */
  readonly guid: string;
  /** Called for every frame. */
  onFrame: (text: string) => void = () => undefined;

  private constructor(socket: WebSocket, guid: string) {
    this.socket = socket;
    this.guid = guid;
    socket.on("message", (data: Buffer) => this.onFrame(data.toString()));
    socket.on("error", () => undefined); // it was ended; what waits for a frame says so
  }

  static async dial(url: string, key = SERVICE): Promise<OriginalText> {
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 0 });
    const greeting: string[] = [];
    const greeted = new Promise<void>((resolve, reject) => {
      socket.once("close", (code) => reject(new Error(`closed with ${code} instead of a greeting`)));
      socket.on("message", (data: Buffer) => {
        if (greeting.push(data.toString()) === 2) resolve();
      });
    });
    await once(socket, "open");
    socket.send(key);
    await greeted;
    socket.removeAllListeners("message");
    socket.removeAllListeners("close");
    assert.equal(greeting[0], "MM OK");
    return new OriginalText(socket, greeting[1]!);
  }

  /** Bytes go out as a text frame too, whether they are UTF-8 or not. */
  send(frame: string | Buffer): void {
    this.socket.send(frame, { binary: false });
  }

  tell(command: string, target: string, headers: readonly Header[] = [], body = ""): void {
    this.send(writeFrame({ command, target, headers, body }));
  }

  /** The next frame that fits. Frames before it are dropped. */
  next(fits: (frame: TextFrame) => boolean = () => true): Promise<TextFrame> {
    return new Promise((resolve, reject) => {
      const closed = (code: number): void => reject(new Error(`closed with ${code}`));
      this.socket.once("close", closed);
      this.onFrame = (text) => {
        const frame = readFrame(text);
        if (!fits(frame)) return;
        this.socket.off("close", closed);
        this.onFrame = () => undefined;
        resolve(frame);
      };
    });
  }

  /** Returns once the gateway has acted on what was sent before. For services. */
  async settled(): Promise<void> {
    const own = this.next(({ target, body }) => target === `MSG:${this.guid}` && body === "settled");
    this.tell("PUB", `MSG:${this.guid}`, [], "settled");
    await own;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, "close");
    this.socket.terminate();
    await closed;
  }
}
