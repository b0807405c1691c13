/**
 * Calls in both directions while connections are cut at random, by either end and in the middle of a command. Both ends keep a
 * ledger: every call has one outcome, nothing was executed twice or for a caller that was told it was not, and nothing is left.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { openWebSocketLine } from "../../src/commands/client/websocket-line.ts";
import { CommandConnection } from "../../src/commands/connection.ts";
import { CommandError } from "../../src/commands/error.ts";
import type { CommandLine } from "../../src/commands/line.ts";
import type { CommandMessage } from "../../src/commands/peer.ts";
import { CommandServer } from "../../src/commands/server/server.ts";
import { socketLine } from "../../src/commands/stream-line.ts";
import { LintelError } from "../../src/message/failure.ts";
import { seededRandom } from "../gateway/jobs/random.ts";
import { until } from "../house/until.ts";

export interface LostConnections {
  readonly calls: number;
  readonly clients: number;
  readonly seed: number;
}

/** How the calls of both directions ended. */
export interface LostReport {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly executed: number;
}

const ACTIONS = ["echo", "later", "fail", "crash", "never", "back"] as const;
/** Far more than any call takes whose connection is cut: one that gets so far was forgotten. */
const TIMEOUT_MS = 60_000;

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

class Run {
  readonly #random: () => number;
  readonly #left: { calls: number };
  readonly #server: CommandServer;
  readonly outcomes: Record<string, number> = {};
  /** How often each body was executed. */
  readonly executed = new Map<string, number>();
  readonly #open = new Set<CommandConnection>();
  connections = 0;
  #nonce = 0;

  constructor({ calls, seed }: LostConnections) {
    this.#random = seededRandom(seed);
    this.#left = { calls };
    this.#server = new CommandServer({ onError: () => undefined, lingerTimeout: 50 });
    this.#server.on("cut", ({ connection }) => {
      // Half of the time what was sent still arrives.
      if (this.#below(2) === 0) connection.close();
      else (connection as CommandConnection).abort();
    });
    for (const action of ACTIONS) this.#server.on(action, (message) => this.#handle(message));
  }

  async run(clients: number): Promise<void> {
    const { ws = "", tcp = "" } = await this.#server.listen({ ws: 0, tcp: 0 });
    await Promise.all(
      Array.from({ length: clients }, (_, index) => this.#client(index % 2 === 0 ? ws : tcp)),
    );
    await until(() => this.#server.connections.size === 0);
    await this.#server.close();
    const left = [...this.#open].filter(({ pending, isClosed }) => pending > 0 || !isClosed);
    assert.equal(left.length, 0, "calls, or connections, are left");
  }

  async #client(url: string): Promise<void> {
    while (this.#left.calls > 0) {
      const { line, cut } = await dial(url);
      this.connections++;
      const connection = new CommandConnection(line, { onError: () => undefined });
      this.#open.add(connection);
      connection.on("client.ask", (message) => this.#handle({ ...message, action: "later" }));
      const ends = this.#below(4);
      const calls: Promise<void>[] = [];
      for (let batch = 1 + this.#below(20); batch > 0 && !connection.isClosed; batch--) {
        for (let count = 1 + this.#below(8); count > 0; count--) calls.push(this.#call(connection));
        if (this.#below(2) === 0) await turn();
      }
      for (let turns = this.#below(20); turns > 0; turns--) await turn();
      if (ends === 0) cut('{"action":"echo","key":"cut in two","bo');
      else if (ends === 1) connection.fire("cut");
      else if (ends === 2) connection.close();
      else cut("");
      await Promise.all(calls);
      await connection.lineEnded;
    }
  }

  async #call(connection: CommandConnection): Promise<void> {
    this.#left.calls--;
    const action = ACTIONS[this.#below(ACTIONS.length)]!;
    const body = `${action} ${this.#nonce++}`;
    const outcome = await connection.call(action, body, { timeout: TIMEOUT_MS }).then(
      (result) => this.#answered(action, body, result),
      (error: unknown) => this.#failed(action, body, error),
    );
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }

  #answered(action: string, body: string, result: unknown): string {
    assert.ok(action !== "fail" && action !== "crash" && action !== "never", `${action} was answered`);
    assert.equal(result, action === "back" ? `back ${body}` : body, "the answer of another call");
    assert.equal(this.executed.get(body), 1);
    return "answered";
  }

  #failed(action: string, body: string, error: unknown): string {
    assert.ok(error instanceof LintelError, String(error));
    assert.notEqual(error.reason, "DEADLINE", `${action} was forgotten`);
    if (error.retryable)
      assert.equal(this.executed.get(body) ?? 0, 0, `${error.reason}, but it was executed`);
    if (error instanceof CommandError) assert.equal(action, "fail");
    return error.reason;
  }

  #handle({ action, body, connection }: Pick<CommandMessage, "action" | "body" | "connection">): unknown {
    const text = String(body);
    const times = (this.executed.get(text) ?? 0) + 1;
    this.executed.set(text, times);
    assert.equal(times, 1, `${text} was executed twice`);
    if (action === "echo") return body;
    if (action === "fail") throw new CommandError("nope");
    if (action === "crash") throw new Error("crash");
    if (action === "never") return new Promise(() => undefined);
    if (action === "back") return connection.call("client.ask", `back ${text}`, { timeout: TIMEOUT_MS });
    return this.#later(body);
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  async #later(body: unknown): Promise<unknown> {
    for (let turns = this.#below(4); turns > 0; turns--) await turn();
    return body;
  }
}

interface Dialed {
  readonly line: CommandLine;
  /** Sends these last bytes and ends at once. */
  readonly cut: (last: string) => void;
}

async function dial(url: string): Promise<Dialed> {
  if (url.startsWith("ws")) {
    const websocket = new WebSocket(url);
    const line = await openWebSocketLine(websocket, url, new AbortController().signal);
    return { line, cut: (last) => websocket.send(last, () => websocket.terminate()) };
  }
  const { hostname: host, port } = new URL(url);
  const socket: Socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, "connect");
  return { line: socketLine(socket, url), cut: (last) => socket.write(last, () => socket.resetAndDestroy()) };
}

/** Throws an AssertionError when the books do not balance. */
export async function loseConnections(options: LostConnections): Promise<LostReport> {
  const run = new Run(options);
  await run.run(options.clients);
  const total = Object.values(run.outcomes).reduce((sum, count) => sum + count, 0);
  assert.ok(total >= options.calls, `${total} outcomes of ${options.calls} calls`);
  return { outcomes: run.outcomes, connections: run.connections, executed: run.executed.size };
}
