/** Callers over HTTP, over sessions and of a polled service, that write down what becomes of each request. */
import { Agent, request, type ClientRequest } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { connect, type LintelError, type Peer } from "../../src/index.ts";
import type { Call, Via } from "./ledger.ts";
import type { Echo, Question } from "./worker-process.ts";

/** Milliseconds a request may take. */
export const TIMEOUT_MS = 3_000;
/** Callers of each kind. */
const CALLERS: Readonly<Record<Via, number>> = { http: 12, native: 12, job: 6 };
/** One request of so many has a large body. */
const LARGE_EVERY = 40;
const LARGE = 400_000;

export interface CallersOptions {
  readonly random: () => number;
  readonly httpPort: number;
  /** Where the callers over sessions connect, in turn. */
  readonly urls: readonly string[];
  /** Told of each outcome as it comes. */
  readonly onSettled: (call: Call) => void;
}

export class Callers {
  readonly calls: Call[] = [];
  readonly #options: CallersOptions;
  readonly #agent = new Agent({ keepAlive: true });
  /** Withdraws each request under way. */
  readonly #open = new Set<() => void>();
  readonly #peers: Peer[];
  #loops: Promise<void>[] = [];
  #stopping = false;

  private constructor(options: CallersOptions, peers: Peer[]) {
    this.#options = options;
    this.#peers = peers;
  }

  static async start(options: CallersOptions): Promise<Callers> {
    const limits = { heartbeat: 300, heartbeatTimeout: 300 };
    const peers = await Promise.all(
      options.urls.map((url) => connect(url, { limits, onError: () => undefined })),
    );
    const callers = new Callers(options, peers);
    for (const [via, count] of Object.entries(CALLERS))
      for (let index = 0; index < count; index++) callers.#loops.push(callers.#callOn(via as Via));
    return callers;
  }

  /** Withdraws about this share of the requests under way. */
  withdraw(share: number): void {
    for (const withdraw of this.#open) if (this.#options.random() < share) withdraw();
  }

  /** Makes so many requests with large bodies at once, beside those that go on. */
  async burst(count: number, bytes: number): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, (_, index) => this.#call(index % 2 === 0 ? "http" : "native", bytes)),
    );
  }

  /** Resolves when every request has its outcome, and every caller has left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
    await Promise.all(this.#peers.map((peer) => peer.close()));
    this.#agent.destroy();
  }

  async #callOn(via: Via): Promise<void> {
    while (!this.#stopping) {
      const { random } = this.#options;
      await this.#call(via, random() * LARGE_EVERY < 1 ? LARGE : Math.floor(random() * 2_000));
      const isAnswered = this.calls.at(-1)?.outcome === "answered";
      await delay(random() * (isAnswered ? 8 : 80)); // who is refused tries again more slowly
    }
  }

  async #call(via: Via, bytes: number): Promise<void> {
    const call: Call = {
      nonce: `n${this.calls.length}`,
      via,
      startedAt: performance.now(),
      settledAt: 0,
      settlements: 0,
      outcome: "none",
      status: 0,
      worker: "",
      wasKept: false,
      withdrawn: false,
      mistake: undefined,
    };
    this.calls.push(call);
    const { random } = this.#options;
    const ms = random() < 0.5 ? 0 : Math.floor(random() * 30);
    const question: Question = { nonce: call.nonce, body: "x".repeat(bytes), ms };
    let stop: () => void = () => undefined;
    const withdraw = (): void => {
      call.withdrawn = true;
      stop();
    };
    this.#open.add(withdraw);
    await new Promise<void>((resolve) => {
      const settle = (outcome: string): void => {
        call.settlements++;
        call.settledAt = performance.now();
        call.outcome = outcome;
        this.#options.onSettled(call);
        resolve();
      };
      stop =
        via === "native" ? this.#askNative(call, question, settle) : this.#askHttp(call, question, settle);
    });
    this.#open.delete(withdraw);
  }

  #askNative(call: Call, question: Question, settle: (outcome: string) => void): () => void {
    const peer = this.#peers[this.calls.length % this.#peers.length]!;
    const abort = new AbortController();
    const options = { timeoutMs: TIMEOUT_MS, signal: abort.signal };
    peer.request<Echo>(`chaos.echo.${call.nonce}`, question, options).then(
      (echo) => {
        check(call, question, echo);
        settle("answered");
      },
      (error: Partial<LintelError>) =>
        settle(call.withdrawn ? "CALLER_GONE" : (error.reason ?? "an error without a reason")),
    );
    return () => abort.abort();
  }

  #askHttp(call: Call, question: Question, settle: (outcome: string) => void): () => void {
    const path = call.via === "job" ? "/service/chaos.job" : `/chaos/echo/${call.nonce}`;
    const headers = { "content-type": "application/json", prefer: `wait=${TIMEOUT_MS / 1_000}` };
    const options = {
      host: "127.0.0.1",
      port: this.#options.httpPort,
      method: "POST",
      path,
      headers,
      agent: this.#agent,
    };
    const sent: ClientRequest = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => void chunks.push(chunk));
      response.on("error", failed);
      response.on("end", () => {
        call.status = response.statusCode ?? 0;
        settle(read(call, question, Buffer.concat(chunks).toString()));
      });
    });
    let over = false;
    function failed(error: NodeJS.ErrnoException): void {
      if (over || call.settlements > 0) return; // Node tells some losses to the request and to the response
      over = true;
      call.wasKept = sent.reusedSocket;
      settle(call.withdrawn ? "CALLER_GONE" : `connection: ${error.code ?? error.message}`);
    }
    sent.on("error", failed);
    sent.end(JSON.stringify(question));
    return () => sent.destroy();
  }
}

function read(call: Call, question: Question, body: string): string {
  try {
    const value = JSON.parse(body) as Echo & { reason?: string };
    if (call.status !== 200) return value.reason ?? `status ${call.status}`;
    check(call, question, value);
    return "answered";
  } catch {
    call.mistake = `status ${call.status} with a body that is no JSON: ${body.slice(0, 80)}`;
    return "answered";
  }
}

function check(call: Call, question: Question, echo: Echo): void {
  call.worker = echo.worker;
  if (echo.nonce !== question.nonce) call.mistake = `got the answer to ${echo.nonce}`;
  else if (echo.body !== question.body)
    call.mistake = `sent ${question.body.length} characters, got ${echo.body.length} or others`;
}
