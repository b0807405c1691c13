/** Kills responders of the text gateway while requests flow, and counts the outcomes of every request. */
import assert from "node:assert/strict";
import type { RandomInt } from "../../../src/testing/codec-fuzz.ts";
import { CLIENT, headerOf, OriginalText, readFrame, SERVICE, writeFrame } from "./original-text.ts";

const TARGET = "Echo";
const RESPONDERS = 5;
const REQUESTERS = 4;
/** Requests under way at a time, over all requesters. */
const IN_FLIGHT = 64;

export interface Outcomes {
  answered: number;
  failed: number;
  killed: number;
}

/** Answers most requests at once, some never: it is killed with those in its hands. */
async function openResponder(url: string, random: RandomInt, onEnd: () => void): Promise<OriginalText> {
  const responder = await OriginalText.dial(url, SERVICE);
  let left = 20 + random(200);
  responder.onFrame = (text) => {
    const { command, headers, body } = readFrame(text);
    if (command !== "REQ") return;
    if (--left === 0) {
      responder.socket.terminate();
      onEnd();
    }
    if (left <= 0 || random(20) === 0) return;
    responder.send(writeFrame({ command: "RES", target: TARGET, headers, body: `${body}!` }));
  };
  responder.tell("EREQ", TARGET);
  await new Promise<void>((resolve) => {
    const { onFrame } = responder;
    responder.onFrame = (text) => {
      if (readFrame(text).body === "ready") {
        responder.onFrame = onFrame;
        resolve();
      } else onFrame(text);
    };
    responder.tell("PUB", `MSG:${responder.guid}`, [], "ready");
  });
  return responder;
}

/** Ledger of one requester: it throws when a request has a second outcome, or somebody else's. */
class Requester {
  readonly outcomes = new Map<string, string>();
  readonly #onOutcome: () => void;

  constructor(connection: OriginalText, onOutcome: () => void) {
    this.#onOutcome = onOutcome;
    connection.onFrame = (text) => this.#hear(text);
  }

  #hear(text: string): void {
    const frame = readFrame(text);
    const id = headerOf(frame, "ReqID") ?? "";
    assert.ok(this.outcomes.has(id), `nobody asked: ${text}`);
    assert.equal(this.outcomes.get(id), "", `second outcome: ${text}`);
    if (frame.command === "RES") assert.equal(frame.body, `${id}!`, text);
    else assert.deepEqual([frame.command, frame.target], ["PUB", "ERROR"], text);
    this.outcomes.set(id, frame.command);
    this.#onOutcome();
  }
}

/**
 * Makes `count` requests, by clients and by services, while responders leave with requests in their hands. What those that stay
 * never answer has an outcome by its deadline.
 */
export async function killResponders(url: string, count: number, random: RandomInt): Promise<Outcomes> {
  const tally: Outcomes = { answered: 0, failed: 0, killed: 0 };
  const opened: OriginalText[] = [];
  let finished = false;
  let failure: unknown;
  const replace = (): void => {
    if (finished) return;
    const opening = openResponder(url, random, () => {
      tally.killed++;
      replace();
    });
    opening.then(
      (responder) => opened.push(responder),
      (error: unknown) => (failure = error),
    );
  };
  // One stays, so that no request finds nobody.
  opened.push(
    await openResponder(
      url,
      () => 1_000_000,
      () => undefined,
    ),
  );
  for (let index = 0; index < RESPONDERS; index++) replace();
  await new Promise<void>((resolve, reject) => {
    void askAll(url, count, tally).then(resolve, reject);
  });
  finished = true;
  for (const responder of opened) await responder[Symbol.asyncDispose]();
  assert.equal(failure, undefined);
  return tally;
}

async function askAll(url: string, count: number, tally: Outcomes): Promise<void> {
  const connections: OriginalText[] = [];
  const requesters: Requester[] = [];
  let next = 0;
  let ended = 0;
  await new Promise<void>((resolve) => {
    const ask = (index: number): void => {
      if (next >= count) return;
      const id = `${index}.${next++}`;
      requesters[index]!.outcomes.set(id, "");
      connections[index]!.tell("REQ", TARGET, [["ReqID", id]], id);
    };
    const open = async (index: number): Promise<void> => {
      const connection = await OriginalText.dial(url, index % 2 === 0 ? CLIENT : SERVICE);
      connections[index] = connection;
      requesters[index] = new Requester(connection, () => {
        if (++ended === count) resolve();
        else ask(index);
      });
    };
    void Promise.all(Array.from({ length: REQUESTERS }, (_, index) => open(index))).then(() => {
      for (let lane = 0; lane < IN_FLIGHT; lane++) ask(lane % REQUESTERS);
    });
  });
  for (const connection of connections) {
    // A second outcome would come before this.
    if (connections.indexOf(connection) % 2 === 1) await settledWith(connection);
    await connection[Symbol.asyncDispose]();
  }
  for (const { outcomes } of requesters)
    for (const outcome of outcomes.values()) {
      if (outcome === "RES") tally.answered++;
      else tally.failed++;
    }
}

async function settledWith(connection: OriginalText): Promise<void> {
  const { onFrame } = connection;
  await new Promise<void>((resolve) => {
    connection.onFrame = (text) => {
      if (readFrame(text).body === "end") resolve();
      else onFrame(text);
    };
    connection.tell("PUB", `MSG:${connection.guid}`, [], "end");
  });
}
