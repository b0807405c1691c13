/**
 * Clients that connect again, whose connections are cut at random: by the server, by the client, in order and by a reset. Both ends
 * keep a ledger: every call has one outcome; it was executed at most once for each attempt, and not at all when the client was told so.
 */
import assert from "node:assert/strict";
import { connectCommands, CommandException, type CommandClient } from "../../../src/commands/node.ts";
import type { CommandConnection } from "../../../src/commands/connection.ts";
import { CommandServer } from "../../../src/commands/server/server.ts";
import { LintelError } from "../../../src/message/failure.ts";
import { seededRandom } from "../../gateway/jobs/random.ts";
import { until } from "../../house/until.ts";

export interface CutClients {
  readonly calls: number;
  readonly clients: number;
  readonly seed: number;
}

/** How the calls ended. */
export interface CutReport {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly executed: number;
}

const ACTIONS = ["echo", "later", "crash", "back"] as const;
const RETRIES = 3;
/** Far more than any call takes whose connection is cut: one that gets so far was forgotten. */
const TIMEOUT_MS = 60_000;

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

class Run {
  readonly outcomes: Record<string, number> = {};
  /** How often each body was executed. */
  readonly executed = new Map<string, number>();
  connections = 0;
  readonly #random: () => number;
  readonly #server = new CommandServer({ onError: () => undefined, lingerTimeout: 50 });
  #left: number;
  #nonce = 0;

  constructor({ calls, seed }: CutClients) {
    this.#random = seededRandom(seed);
    this.#left = calls;
    this.#server.onConnect(() => this.connections++);
    this.#server.on("join", ({ body, connection }) => void connection.cache.set("name", body));
    this.#server.on("name", ({ connection }) => connection.cache.get("name"));
    for (const action of ACTIONS) {
      this.#server.on(action, async ({ body, connection }) => {
        const text = String(body);
        this.executed.set(text, (this.executed.get(text) ?? 0) + 1);
        if (action === "crash") throw new Error("crash");
        if (action === "back") return connection.call("client.ask", text, { timeout: TIMEOUT_MS });
        if (action === "later") for (let turns = this.#below(5); turns > 0; turns--) await turn();
        return body;
      });
    }
  }

  async run(count: number): Promise<void> {
    const { ws = "", tcp = "" } = await this.#server.listen({ ws: 0, tcp: 0 });
    await Promise.all(
      Array.from({ length: count }, (_, index) => this.#client(index % 2 === 0 ? ws : tcp, index)),
    );
    await until(() => this.#server.connections.size === 0);
    await this.#server.close();
  }

  async #client(url: string, number: number): Promise<void> {
    const client = await connectCommands(url, {
      onError: () => undefined, // announcements that were cut
      handlers: { "client.ask": ({ body }) => body },
    });
    await until(() => client.announce("join", number).catch(() => undefined));
    while (this.#left > 0) {
      const calls: Promise<void>[] = [];
      for (let batch = 1 + this.#below(20); batch > 0; batch--) {
        for (let size = 1 + this.#below(8); size > 0; size--) calls.push(this.#call(client));
        if (this.#below(2) === 0) await turn();
      }
      this.#cut(client);
      await Promise.all(calls);
      await until(() => client.state === "connected");
    }
    await until(
      () =>
        client.call("name").then(
          (name) => name === number,
          () => false,
        ),
      "what was announced",
    );
    await client.close();
    assert.equal(client.connection, undefined);
  }

  #cut(client: CommandClient): void {
    const { connection } = client;
    if (this.#below(2) === 0 || connection === undefined) return this.#pick()?.abort();
    if (this.#below(2) === 0) connection.close();
    else connection.abort();
  }

  /** Some connection of the server. */
  #pick(): CommandConnection | undefined {
    const all = [...this.#server.connections];
    return all[this.#below(all.length)] as CommandConnection | undefined; // they are of this class
  }

  async #call(client: CommandClient): Promise<void> {
    this.#left--;
    const action = ACTIONS[this.#below(ACTIONS.length)]!;
    const body = `${action} ${this.#nonce++}`;
    const retries = this.#below(2) * RETRIES;
    const outcome = await client.call(action, body, { timeout: TIMEOUT_MS, retries }).then(
      (result) => {
        assert.equal(result, body, "the answer of another call");
        assert.ok(this.executed.has(body), "answered, but not executed");
        return "answered";
      },
      (error: unknown) => this.#failed(action, body, retries, error),
    );
    assert.ok((this.executed.get(body) ?? 0) <= 1 + retries, `${body} was executed too often`);
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }

  #failed(action: string, body: string, retries: number, error: unknown): string {
    assert.ok(error instanceof LintelError, String(error));
    assert.notEqual(error.reason, "DEADLINE", `${action} was forgotten`);
    if (error.retryable && retries === 0)
      assert.equal(this.executed.get(body) ?? 0, 0, `${error.reason}, but executed`);
    if (action === "crash" && error instanceof CommandException && retries > 0)
      assert.ok(this.executed.has(body));
    return error.reason;
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }
}

/** Throws an AssertionError when the books do not balance. */
export async function cutClients(options: CutClients): Promise<CutReport> {
  const run = new Run(options);
  await run.run(options.clients);
  const total = Object.values(run.outcomes).reduce((sum, count) => sum + count, 0);
  assert.ok(total >= options.calls, `${total} outcomes of ${options.calls} calls`);
  return { outcomes: run.outcomes, connections: run.connections, executed: run.executed.size };
}
