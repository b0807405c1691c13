/** What the tests of the HTTP gateway share: a gateway in front of a real engine, and callers that speak raw bytes. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import type { HttpOptions } from "../../../src/gateway/http/options.ts";
import type { RequestRecord } from "../../../src/observe/observer.ts";
import { openHttp, type HttpDependencies, type HttpListening } from "../../../src/gateway/http/port.ts";
import type { Registration } from "../../../src/message/delivery.ts";
import type { Failure } from "../../../src/message/failure.ts";
import { Format, Message } from "../../../src/message/message.ts";

/** What a worker was asked. */
export interface Job {
  readonly number: number;
  readonly subject: string;
  readonly head: string;
  readonly body: Buffer;
  readonly timeoutMs: number;
}

/** An answer, a failure, or nothing for now. */
export type Handler = (job: Job) => Message | Failure | undefined;

export interface Service {
  readonly jobs: Job[];
  readonly registration: Registration;
  /** Resolves with the next job, which may have come already. */
  next(): Promise<Job>;
  /** Resolves with the number of the next job that is canceled. */
  canceled(): Promise<number>;
}

export interface Gateway {
  readonly engine: LocalEngine;
  readonly listening: HttpListening;
  readonly url: string;
  readonly port: number;
  readonly records: RequestRecord[];
  readonly faults: unknown[];
  serve(pattern: string, handler: Handler): Service;
}

/** Opens a gateway on a free port; the test closes it. */
export async function openGateway(
  context: TestContext,
  options: HttpOptions = {},
  fittings: HttpDependencies = {},
): Promise<Gateway> {
  const engine = new LocalEngine();
  const records: RequestRecord[] = [];
  const faults: unknown[] = [];
  const settled = {
    port: 0,
    hosts: ["a", "b", "shop.example"], // what the requests of the tests are for
    onRequest: (record: RequestRecord) => void records.push(record),
    onFault: (fault: unknown) => void faults.push(fault),
    ...options,
  };
  const listening = await openHttp(engine, settled, fittings);
  context.after(async () => {
    await listening.close();
    await engine.close();
  });
  const { url } = listening;
  const port = Number(new URL(url).port);
  return {
    engine,
    listening,
    url,
    port,
    records,
    faults,
    serve: (pattern, handler) => serveOn(engine, pattern, handler),
  };
}

export function serveOn(engine: LocalEngine, pattern: string, handler: Handler): Service {
  const jobs: Job[] = [];
  const news = new EventTarget();
  let taken = 0;
  const canceledJobs: number[] = [];
  const registration = engine.serve(pattern, {
    execute(number, route, request, timeoutMs) {
      const body = Buffer.from(request.payload());
      const job = { number, subject: route.subject, head: request.headText(), body, timeoutMs };
      jobs.push(job);
      news.dispatchEvent(new Event("job"));
      const outcome = handler(job);
      if (outcome === undefined) return;
      if (outcome instanceof Message) registration.reply(number, outcome);
      else registration.fail(number, outcome);
    },
    cancel(number) {
      canceledJobs.push(number);
      news.dispatchEvent(new Event("cancel"));
    },
  });
  return {
    jobs,
    registration,
    next: async () => {
      while (jobs.length <= taken) await once(news, "job");
      return jobs[taken++]!;
    },
    canceled: async () => {
      while (canceledJobs.length === 0) await once(news, "cancel");
      return canceledJobs.shift()!;
    },
  };
}

export function text(body: string, head = ""): Message {
  return Message.ofBytes(Buffer.from(body), head, Format.text);
}

export function json(value: unknown, head = ""): Message {
  return Message.ofBytes(Buffer.from(JSON.stringify(value)), head, Format.typed);
}

/** One answer as it came over a raw socket. */
export interface RawResponse {
  readonly status: number;
  readonly head: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly raw: Buffer;
}

/** A caller on a raw socket that reads one response after the other. */
export class RawCaller {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      this.socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  send(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    return this;
  }

  /** The next response; undefined when the connection ends first. `bodiless` for answers to HEAD. */
  async response(bodiless = false): Promise<RawResponse | undefined> {
    for (;;) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end >= 0) {
        const head = this.#received.toString("latin1", 0, end);
        const headers = new Map<string, string>();
        for (const line of head.split("\r\n").slice(1)) {
          const colon = line.indexOf(":");
          headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
        }
        const whole = this.#body(end + 4, headers, bodiless);
        if (whole !== undefined) {
          this.#received = this.#received.subarray(whole.end);
          const raw = whole.bytes;
          return { status: Number(head.slice(9, 12)), head, headers, body: raw.toString("utf8"), raw };
        }
      }
      if (this.#ended) return undefined;
      await this.#news();
    }
  }

  /** What has come and was not taken for a response. */
  get received(): string {
    return this.#received.toString("latin1");
  }

  /** Resolves with what came besides responses when the other side has ended. */
  async end(): Promise<string> {
    while (!this.#ended) await this.#news();
    return this.#received.toString("latin1");
  }

  close(): void {
    this.socket.destroy();
  }

  /** The body that begins at `start`, and where it ends; undefined as long as it is not all there. */
  #body(
    start: number,
    headers: ReadonlyMap<string, string>,
    bodiless: boolean,
  ): { readonly bytes: Buffer; readonly end: number } | undefined {
    const received = this.#received;
    if (bodiless || headers.get("transfer-encoding") !== "chunked") {
      const end = start + (bodiless ? 0 : Number(headers.get("content-length") ?? 0));
      return received.length < end ? undefined : { bytes: received.subarray(start, end), end };
    }
    const pieces: Buffer[] = [];
    for (let at = start; ;) {
      const line = received.indexOf("\r\n", at);
      if (line < 0) return undefined;
      const size = Number.parseInt(received.toString("latin1", at, line), 16);
      at = line + 2 + size + 2;
      if (received.length < at) return undefined;
      if (size === 0) return { bytes: Buffer.concat(pieces), end: at };
      pieces.push(received.subarray(line + 2, line + 2 + size));
    }
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** The reason a problem body names. */
export function reasonOf(body: string): unknown {
  return (JSON.parse(body) as { reason?: unknown }).reason;
}
