/** Jobs: workers that poll over HTTP, and callers that name a service by its path. */
import {
  EVERY_SAMPLE,
  Mailbox,
  fromTyped,
  noVerb,
  toTyped,
  type FailureSeen,
  type GatewayDriver,
  type Headers,
  type Job,
  type Payload,
  type Sent,
  type WorkerService,
} from "../../../src/testing/index.ts";
import { HttpClient, askByHttp, flat, type HttpAnswer, type HttpCall } from "./http-client.ts";

const NOT_PUBLISHED = "jobs are requests, and nothing is published by them";
const NO_SUBSCRIBER = "a job goes to one worker: a worker that polls cannot subscribe";
const NO_SERVICE = "a worker that polls has no connection that what it enables could end with";

/** How long a job belongs to a worker that says nothing. Milliseconds. */
const LEASE_MS = 20_000;
const MORTAL_LEASE_MS = 1_000;
/** How often a worker asks for more time, and hears whether it has any. Milliseconds. */
const EXTEND_MS = 250;
const HEADER = /^lintel-header-(.*)$/;

export const jobs: GatewayDriver = {
  name: "jobs",
  supports: {
    request: true,
    serve: true,
    publish: NOT_PUBLISHED,
    subscribe: NO_SUBSCRIBER,
    enable: noVerb(NO_SERVICE),
    use: { request: true, publish: NOT_PUBLISHED, subscribe: NO_SUBSCRIBER },
    sends: EVERY_SAMPLE,
    answers: EVERY_SAMPLE,
    receives: EVERY_SAMPLE,
    isAnswered: EVERY_SAMPLE,
    headers: true,
    limitsTime: true,
    withdraws: true,
    seesTime: true,
    seesEnd: true,
    unsubscribes: NO_SUBSCRIBER,
    leaves: true,
    fails: ["code", "reason", "message"],
    isTold: ["code", "reason", "message"],
  },
  connect(matrix, role, { isMortal }) {
    const { hub, keyOf } = matrix;
    const client = new HttpClient(hub.httpUrl!, keyOf(role));
    const polling = new Set<PollingService>();
    return Promise.resolve({
      request: (subject, sent, timeoutMs) => askByHttp(client, `/service/${subject}`, sent, timeoutMs),
      async serve(subject) {
        const service = new PollingService(client, subject, isMortal ? MORTAL_LEASE_MS : LEASE_MS);
        polling.add(service);
        await matrix.counted("service", subject, 1);
        return service;
      },
      async [Symbol.asyncDispose]() {
        for (const service of polling) service.stop();
        await client[Symbol.asyncDispose]();
      },
    });
  },
};

/** Polls without a pause: a job that comes finds a poll that waits. */
class PollingService implements WorkerService {
  readonly #client: HttpClient;
  readonly #subject: string;
  readonly #leaseMs: number;
  readonly #jobs = new Mailbox<Job>();
  readonly #held: HeldJob[] = [];
  #poll: HttpCall;
  #isOver = false;

  constructor(client: HttpClient, subject: string, leaseMs: number) {
    this.#client = client;
    this.#subject = subject;
    this.#leaseMs = leaseMs;
    this.#poll = this.#next();
  }

  next(): Promise<Job> {
    return this.#jobs.next();
  }

  /** The service is there as long as its queue lingers; a request that waits in it fails then. */
  close(): Promise<void> {
    this.stop();
    return Promise.resolve();
  }

  stop(): void {
    this.#isOver = true;
    this.#poll.abort();
    for (const job of this.#held) job.drop();
  }

  #take(job: HeldJob): void {
    this.#held.push(job);
    this.#jobs.put(job);
  }

  #next(): HttpCall {
    const path = `/service/${this.#subject}/jobs?lease=${this.#leaseMs / 1_000}`;
    const poll = this.#client.call("GET", path, { accept: "application/octet-stream" });
    void poll.answer.then(
      (answer) => {
        if (answer.status === 200) this.#take(new HeldJob(this.#client, answer, this.#leaseMs));
        else if (answer.status !== 204)
          return this.#jobs.end(new Error(`a poll was answered ${answer.status}: ${String(answer.body)}`));
        if (!this.#isOver) this.#poll = this.#next();
        return undefined;
      },
      () => undefined, // it was aborted
    );
    return poll;
  }
}

/** Held as a worker does that takes its time: it asks for more before its lease is over, until it is told that it is in vain. */
class HeldJob implements Job {
  readonly payload: Payload;
  readonly headers: Headers;
  readonly timeLeft: number;
  readonly #client: HttpClient;
  readonly #path: string;
  readonly #leaseMs: number;
  readonly #ended = new Mailbox<undefined>();
  readonly #timer: NodeJS.Timeout;

  constructor(client: HttpClient, { headers, body }: HttpAnswer, leaseMs: number) {
    const seen = flat(headers);
    this.#client = client;
    this.#leaseMs = leaseMs;
    this.#path = `/jobs/${seen["lintel-job"]}`;
    this.payload = fromTyped({ body, contentType: body.length === 0 ? undefined : seen["content-type"] });
    this.headers = Object.fromEntries(
      Object.entries(seen).map(([name, value]) => [HEADER.exec(name)?.[1] ?? `not sent: ${name}`, value]),
    );
    this.timeLeft = Number(seen["lintel-deadline"]);
    this.#timer = setInterval(() => void this.#extend(), EXTEND_MS);
  }

  answer({ payload, headers = {} }: Sent): Promise<void> {
    const { body, contentType } = toTyped(payload);
    const type = contentType === undefined ? {} : { "content-type": contentType };
    const more = Object.entries(headers).map(([name, value]) => [`lintel-header-${name}`, value]);
    return this.#end(this.#path, { ...type, ...Object.fromEntries(more) }, body);
  }

  fail({ code, reason, message }: Required<FailureSeen>): Promise<void> {
    return this.#end(`${this.#path}/error?code=${code}&reason=${reason}`, {}, Buffer.from(message));
  }

  ended(): Promise<undefined> {
    return this.#ended.next();
  }

  /** Says nothing more. */
  drop(): void {
    clearInterval(this.#timer);
  }

  async #end(path: string, headers: Headers, body: Uint8Array): Promise<void> {
    this.drop();
    const answer = await this.#client.call("POST", path, headers, body).answer;
    if (answer.status !== 200)
      throw new Error(`${path} was answered ${answer.status}: ${String(answer.body)}`);
  }

  async #extend(): Promise<void> {
    const call = this.#client.call("POST", `${this.#path}/lease?lease=${this.#leaseMs / 1_000}`);
    const status = await call.answer.then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    this.drop();
    if (status === 410) this.#ended.put(undefined);
  }
}
