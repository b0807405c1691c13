/** A line over a WebSocket of the platform, which the test plays. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, test } from "node:test";
import { openWebSocketLine, type DialedWebSocket } from "../../../src/commands/client/websocket-line.ts";
import type { CommandLine } from "../../../src/commands/line.ts";
import { until } from "../../house/until.ts";

class FakeWebSocket implements DialedWebSocket {
  binaryType = "blob";
  readyState = 0;
  bufferedAmount = 0;
  readonly sent: unknown[] = [];
  readonly closes: unknown[] = [];
  readonly #listeners = new Map<string, ((event: never) => void)[]>();

  send(data: string | Uint8Array): void {
    this.sent.push(data);
    this.bufferedAmount += data.length;
  }

  close(code?: number, reason?: string): void {
    this.closes.push([code, reason]);
    this.readyState = 2;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  happens(type: "open" | "error" | "message" | "close", event: object = {}): void {
    if (type === "open") this.readyState = 1;
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}

const bytesOf = (text: string): ArrayBuffer => Uint8Array.from(Buffer.from(text)).buffer;

async function opened(): Promise<{ websocket: FakeWebSocket; line: CommandLine; told: unknown[] }> {
  const websocket = new FakeWebSocket();
  const opening = openWebSocketLine(
    websocket,
    "ws://there/socket?token=secret",
    new AbortController().signal,
  );
  websocket.happens("open");
  return { websocket, line: await opening, told: [] };
}

function listen(line: CommandLine, told: unknown[]): void {
  line.open({
    data: (chunk) => told.push(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString()),
    drained: () => told.push("drained"),
    closed: (why) => told.push(`closed: ${why?.message}`),
  });
}

describe("a line over a WebSocket", () => {
  test("hands on texts and bytes in order, also those that came before it was opened, and no secret", async () => {
    const { websocket, line, told } = await opened();
    assert.equal(websocket.binaryType, "arraybuffer");
    assert.ok(!line.remote.includes("secret"));
    websocket.happens("message", { data: "early" });
    listen(line, told);
    assert.deepEqual(told, []);
    await turn();
    websocket.happens("message", { data: bytesOf("bytes") });
    websocket.happens("message", { data: "text" });
    websocket.happens("close", { code: 1000, reason: "" });
    websocket.happens("message", { data: "late" });
    assert.deepEqual(told, ["early", "bytes", "text", "closed: undefined"]);
  });

  test("that has ended before it was opened tells so, after what had come", async () => {
    const { websocket, line, told } = await opened();
    websocket.happens("message", { data: "early" });
    websocket.happens("close", { code: 1008, reason: "bad token" });
    listen(line, told);
    await turn();
    assert.deepEqual(told, ["early", "closed: the WebSocket was closed with 1008: bad token"]);
  });

  test("keeps what comes while it is not read, and ends when that is too much", async () => {
    const { websocket, line, told } = await opened();
    listen(line, told);
    await turn();
    line.read(false);
    websocket.happens("message", { data: "one" });
    websocket.happens("message", { data: "two" });
    assert.deepEqual(told, []);
    line.read(true);
    assert.deepEqual(told.splice(0), ["one", "two"]);
    line.read(false);
    const data = "x".repeat(1_048_576);
    for (let count = 0; count < 17; count++) websocket.happens("message", { data });
    await until(() => told.length > 0);
    assert.deepEqual(told, ["closed: more than 16777216 bytes wait to be read"]);
    assert.equal(websocket.closes.length, 1);
  });

  test("asks to wait when much is to be sent, and tells when it is sent", async () => {
    const { websocket, line, told } = await opened();
    listen(line, told);
    await turn();
    assert.equal(line.send("x".repeat(262_144)), true);
    assert.equal(line.send("y"), false);
    assert.equal(line.buffered, 262_145);
    websocket.bufferedAmount = 0;
    await until(() => told.length > 0);
    assert.deepEqual(told, ["drained"]);
    websocket.bufferedAmount = 300_000;
    line.send("z");
    websocket.bufferedAmount = 0;
    websocket.happens("message", { data: "in a hidden tab this comes before any timer" });
    assert.deepEqual(told.slice(1), ["drained", "in a hidden tab this comes before any timer"]);
    line.close();
    assert.equal(line.send("too late"), true);
    assert.equal(websocket.sent.length, 3);
  });

  test("closes with a code that pages may give", async () => {
    const cases: [number, string, unknown[]][] = [
      [1000, "", [1000, ""]],
      [1001, "leaving", [1000, "leaving"]],
      [1009, "too large", [4009, "too large"]],
      [4401, "é".repeat(62), [4401, ""]],
    ];
    for (const [code, reason, expected] of cases) {
      const { websocket, line } = await opened();
      line.close({ code, reason });
      assert.deepEqual(websocket.closes, [expected]);
    }
  });

  test("is not opened when the signal fires, or the platform says so", async () => {
    const controller = new AbortController();
    const aborted = new FakeWebSocket();
    const opening = openWebSocketLine(aborted, "ws://there", controller.signal);
    controller.abort(new Error("too slow"));
    await assert.rejects(opening, /too slow/);
    assert.equal(aborted.closes.length, 1);
    await assert.rejects(openWebSocketLine(new FakeWebSocket(), "ws://there", controller.signal), /too slow/);
    for (const [event, message] of [
      [{}, /no WebSocket to ws:\/\/there; the browser's console may say why/],
      [{ message: "refused" }, /^Error: refused$/],
    ] as const) {
      const failed = new FakeWebSocket();
      const failing = openWebSocketLine(failed, "ws://there", new AbortController().signal);
      failed.happens("error", event);
      await assert.rejects(failing, message);
    }
  });
});
