/** What is written to callers in one turn of the loop has a bound, however much has been decided in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyBudget } from "../../../src/gateway/http/body-limit.ts";
import {
  HttpConnection,
  Exchange,
  type Incoming,
  type ConnectionDriver,
  type Outgoing,
} from "../../../src/gateway/http/connection.ts";
import { settingsOf } from "../../../src/gateway/http/options.ts";
import { Responder } from "../../../src/gateway/http/responder.ts";
import { StreamedAnswers } from "../../../src/gateway/http/stream/streamed-answers.ts";
import { Message } from "../../../src/message/message.ts";
import type { StreamEnd } from "../../../src/message/message.ts";
import { ROOT_LINE } from "../../../src/stream/stream.ts";
import { createStream } from "../../../src/stream/stream-pair.ts";

const COUNT = 1_000;

/** One caller, and what it has been sent. */
class Caller {
  writes = 0;
  bytes = 0;
  ended = 0;
  readonly exchange: Exchange;
  readonly connection: HttpConnection;

  constructor() {
    const response: Partial<Outgoing> = {
      writeHead: () => undefined,
      flushHeaders: () => undefined,
      on: () => undefined,
      write: (piece: string | Uint8Array) => {
        this.writes++;
        this.bytes += piece.length;
        return true;
      },
      end: () => void this.ended++,
    };
    const request: Partial<Incoming> = { method: "GET", httpVersionMinor: 1, rawHeaders: [] };
    this.connection = new HttpConnection({ closed: () => undefined } as unknown as ConnectionDriver);
    const [incoming, outgoing] = [request as Incoming, response as Outgoing];
    this.exchange = new Exchange(this.connection, incoming, outgoing, "/", false, 0);
  }
}

interface Harness {
  readonly callers: readonly Caller[];
  readonly responder: Responder;
  readonly streams: StreamedAnswers;
}

function createHarness(): Harness {
  const settings = settingsOf({ port: 0 });
  const responder = new Responder(settings, new BodyBudget(1), () => undefined);
  const callers = Array.from({ length: COUNT }, () => new Caller());
  return { callers, responder, streams: new StreamedAnswers(responder, settings) };
}

/** The other end of the answer's stream. */
function begin({ streams }: Harness, { exchange }: Caller, messages: boolean): StreamEnd {
  const [end, other] = createStream({ receives: true, sends: false, messages });
  const answer = Message.ofBytes(new Uint8Array(0), ROOT_LINE);
  answer.streams = [end];
  streams.begin(exchange, answer);
  return other;
}

/** What each turn adds to the sum, until nothing is added any more. */
async function turns(sum: () => number): Promise<number[]> {
  const added: number[] = [];
  for (let before = sum(); ; before = sum()) {
    await new Promise(setImmediate);
    if (sum() === before) return added;
    added.push(sum() - before);
  }
}

const total = (callers: readonly Caller[], what: "ended" | "writes" | "bytes"): number =>
  callers.reduce((sum, caller) => sum + caller[what], 0);

test("a thousand responses of one turn go out 256 in a turn, and count as unsent until then", async () => {
  const { callers, responder } = createHarness();
  for (const { exchange } of callers) responder.empty(exchange, 204, []);
  assert.equal(total(callers, "ended"), 0);
  assert.ok(callers.every(({ connection }) => connection.unsent === 1));
  assert.deepEqual(await turns(() => total(callers, "ended")), [256, 256, 256, 232]);
  assert.ok(callers.every(({ connection, ended }) => connection.unsent === 0 && ended === 1));
});

test("a gateway that is closed sends all of them", () => {
  const { callers, responder } = createHarness();
  for (const { exchange } of callers) responder.empty(exchange, 204, []);
  responder.flush();
  assert.equal(total(callers, "ended"), COUNT);
});

test("a response whose fate somebody wants to know goes out at once, and alone", () => {
  const { callers, responder } = createHarness();
  const [first, second] = [callers[0]!, callers[1]!];
  Object.assign(first.connection.driver, { watch: () => undefined });
  responder.empty(second.exchange, 204, []);
  responder.respond(first.exchange, 200, [], "job", { taken: () => undefined, lost: () => undefined });
  assert.deepEqual([first.ended, second.ended], [1, 0]);
});

for (const { name, messages, pieces, size, most } of [
  { name: "one small value each", messages: true, pieces: 1, size: 10, most: 128 },
  { name: "fifty small values each", messages: true, pieces: 50, size: 10, most: 4_200 },
  { name: "256 KiB each", messages: false, pieces: 16, size: 16_384, most: 300 },
]) {
  test(`a thousand streams with ${name}: ${most} pieces in a turn at the most, in their order`, async () => {
    const harness = createHarness();
    const ends = harness.callers.map((caller) => begin(harness, caller, messages));
    const piece = Message.ofBytes(Buffer.from(`"${"x".repeat(size - 2)}"`));
    for (let at = 0; at < pieces; at++) for (const end of ends) end.send(piece);
    for (const end of ends) end.end();
    const added = await turns(() => total(harness.callers, "writes"));
    assert.ok(added.length > 1 && Math.max(...added) <= most, added.join(" "));
    assert.equal(total(harness.callers, "writes"), COUNT * pieces);
    assert.equal(total(harness.callers, "ended"), COUNT);
    assert.ok(
      harness.callers.every(({ writes }) => writes === pieces),
      "none is written to twice before others",
    );
  });
}
