/** Beam: a process in Python that speaks beam as the original does. */
import {
  Mailbox,
  NOTHING,
  jsonOf,
  noVerb,
  type Asked,
  type Converted,
  type GatewayDriver,
  type Job,
  type MatrixHub,
  type GatewayOutcome,
  type Payload,
  type Program,
  type SampleName,
  type WorkerService,
} from "../../../src/testing/index.ts";
import { SAMPLES } from "../../../src/testing/index.ts";
import type { OriginalEnd, OriginalPeer } from "../../gateway/beam/original-peer.ts";
import { beamPathOf } from "./hub.ts";

const LISTS = "a beam program says lists of arguments and nothing else";
const NO_SUBSCRIBER = "beam has no subscriptions";
const NO_SERVICE = "beam has no message that enables something";
const NO_TIME = "a beam message does not say how long its sender waits";

const SENDS: Readonly<Record<SampleName, true | string>> = {
  "a text": LISTS,
  "a JSON object": LISTS,
  "a list of texts": true,
  "a number of 20 digits": LISTS,
  bytes: LISTS,
  nothing: LISTS,
};

/** What is no list of texts is one argument. */
const HEARS: Readonly<Record<SampleName, true | Converted>> = {
  "a text": argument(SAMPLES["a text"].content),
  "a JSON object": argument(SAMPLES["a JSON object"].content),
  "a list of texts": true,
  "a number of 20 digits": argument(SAMPLES["a number of 20 digits"].content),
  bytes: argument({ $bytes: Buffer.from(SAMPLES.bytes.content, "hex").toString("base64") }),
  nothing: true,
};

function argument(value: unknown): Converted {
  return { as: "one argument", payload: jsonOf(JSON.stringify([value])) };
}

/** `original` is a process for all programs. */
export function beam(original: () => OriginalPeer): GatewayDriver {
  return {
    name: "beam",
    supports: {
      request: true,
      serve: true,
      publish: true,
      subscribe: NO_SUBSCRIBER,
      enable: noVerb(NO_SERVICE),
      use: { request: true, publish: true, subscribe: NO_SUBSCRIBER },
      sends: SENDS,
      answers: { ...SENDS, nothing: true },
      receives: { ...HEARS, nothing: { as: "no arguments", payload: jsonOf("[]") } },
      isAnswered: HEARS,
      headers: "beam messages have no headers",
      limitsTime: NO_TIME,
      withdraws: true,
      seesTime: NO_TIME,
      seesEnd: true,
      unsubscribes: NO_SUBSCRIBER,
      leaves: true,
      fails: ["code", "reason", "message"],
      isTold: ["code", "reason", "message"],
    },
    async connect(matrix) {
      return new BeamProgram(matrix, await original().connect(beamPathOf(matrix)));
    },
  };
}

class BeamProgram implements Program {
  readonly #matrix: MatrixHub;
  readonly #connection: OriginalEnd;
  /** What the process has open, and closes when it ends. */
  readonly #open = new Set<OriginalEnd>();
  readonly #attaching = new Set<Promise<OriginalEnd>>();

  constructor(matrix: MatrixHub, connection: OriginalEnd) {
    this.#matrix = matrix;
    this.#connection = connection;
  }

  request(subject: string, { payload }: Parameters<NonNullable<Program["request"]>>[1]): Asked {
    const attached = this.#attach("RW", subject, ...argumentsOf(payload));
    const outcome = attached.then(async (end) => {
      const message = await end.hears().catch(() => undefined); // it has left
      await this.#leave(end);
      return outcomeOf(message);
    });
    return { outcome, leave: () => void attached.then((end) => this.#leave(end)) };
  }

  async publish(subject: string, { payload }: { readonly payload: Payload }): Promise<void> {
    await this.#connection.send(subject, ...argumentsOf(payload));
  }

  async serve(subject: string): Promise<WorkerService> {
    const jobs = new Mailbox<Job>();
    const end = await this.#attach("RW", "register", subject);
    void this.#work(end, jobs);
    await this.#matrix.counted("service", subject, 1);
    return {
      next: () => jobs.next(),
      close: async () => {
        await this.#leave(end);
        await this.#matrix.counted("service", subject, 0);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A job may be there before the process has said that its message is sent.
    await Promise.allSettled(this.#attaching);
    await Promise.all([...this.#open].map((end) => this.#leave(end)));
    await this.#connection.close();
  }

  async #attach(mode: "RW", ...message: string[]): Promise<OriginalEnd> {
    const attaching = this.#connection.attach(mode, ...message).then((end) => {
      this.#open.add(end);
      return end;
    });
    this.#attaching.add(attaching);
    return attaching.finally(() => this.#attaching.delete(attaching));
  }

  async #leave(end: OriginalEnd): Promise<void> {
    if (this.#open.delete(end)) await end.leave().catch(() => undefined); // the other end may be gone
  }

  async #work(end: OriginalEnd, jobs: Mailbox<Job>): Promise<void> {
    for (;;) {
      const received = await end.receive().catch(() => undefined); // it has left
      if (received?.attached === undefined) return;
      this.#open.add(received.attached);
      jobs.put(this.#jobOf(received.message, received.attached));
    }
  }

  #jobOf([, ...args]: readonly string[], attached: OriginalEnd): Job {
    return {
      payload: payloadOf(args),
      headers: {},
      timeLeft: undefined,
      answer: ({ payload }) =>
        payload.kind === "none" ? attached.send("ack") : attached.send("set", ...argumentsOf(payload)),
      fail: ({ code, reason, message }) => attached.send("error", message, code, reason),
      ended: async () => void (await attached.hears()),
    };
  }
}

function outcomeOf(message: readonly string[] | undefined): GatewayOutcome {
  const [name, ...args] = message ?? ["error", "the attachment was closed"];
  if (name === "error") {
    const [text = "", code = "", reason = ""] = args;
    return { failure: { code, reason, message: text } };
  }
  return { answer: { payload: name === "ack" ? NOTHING : payloadOf(args), headers: {} } };
}

function argumentsOf({ kind, content }: Payload): string[] {
  return kind === "none" ? [] : (JSON.parse(content) as string[]);
}

/** An argument that is not UTF-8 comes with each of its bytes above 127 as half a surrogate pair: what Python makes of it. */
function payloadOf(args: readonly string[]): Payload {
  const items = args.map((item) => {
    if (!/[\udc80-\udcff]/.test(item)) return item;
    const bytes = Array.from(item, (character) => character.charCodeAt(0) & 0xff);
    return { $bytes: Buffer.from(bytes).toString("base64") };
  });
  return jsonOf(JSON.stringify(items));
}
