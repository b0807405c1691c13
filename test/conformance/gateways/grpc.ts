/** gRPC: workers, which speak what `worker.proto` says, over a connection of `node:http2`. */
import {
  EVERY_SAMPLE,
  Mailbox,
  fromTyped,
  noVerb,
  toTyped,
  type GatewayDriver,
  type Job,
  type MatrixHub,
  type WorkerService,
} from "../../../src/testing/index.ts";
import type { FromHub, Job as GrpcJob } from "../../../src/gateway/grpc/generated/lintel/v1/worker_pb.ts";
import { RawCall, said } from "../../gateway/grpc/raw-call.ts";

const WORKERS_ONLY =
  "programs at the gRPC gateway are workers: it has no method that calls, publishes or subscribes";
const NO_SERVICE = "worker.proto has no message that enables something";

export const grpc: GatewayDriver = {
  name: "gRPC",
  supports: {
    request: WORKERS_ONLY,
    serve: true,
    publish: WORKERS_ONLY,
    subscribe: WORKERS_ONLY,
    enable: noVerb(NO_SERVICE),
    use: noVerb(WORKERS_ONLY),
    sends: EVERY_SAMPLE,
    answers: EVERY_SAMPLE,
    receives: EVERY_SAMPLE,
    isAnswered: EVERY_SAMPLE,
    headers: true,
    limitsTime: WORKERS_ONLY,
    withdraws: WORKERS_ONLY,
    seesTime: true,
    seesEnd: true,
    unsubscribes: WORKERS_ONLY,
    leaves: true,
    fails: ["code", "reason", "message"],
    isTold: [],
  },
  connect: (matrix, role) => Promise.resolve(new GrpcProgram(matrix, matrix.keyOf(role))),
};

/** One call, with a registration for each service. */
class GrpcProgram {
  readonly #matrix: MatrixHub;
  readonly #call: RawCall;
  readonly #services: Mailbox<Job>[] = [];
  readonly #left = new Map<number, () => void>();
  readonly #ended = new Map<number, Mailbox<string>>();

  constructor(matrix: MatrixHub, key: string) {
    this.#matrix = matrix;
    this.#call = new RawCall(matrix.hub.grpcUrl!, { authorization: `Bearer ${key}` });
    this.#call.onMessage = (message) => this.#hear(message);
    this.#call.listen();
  }

  async serve(subject: string): Promise<WorkerService> {
    const jobs = new Mailbox<Job>();
    const registration = this.#services.push(jobs);
    this.#say({ case: "register", value: { registration, subject } });
    await this.#matrix.counted("service", subject, 1);
    return {
      next: () => jobs.next(),
      close: () =>
        new Promise((resolve) => {
          this.#left.set(registration, resolve);
          this.#say({ case: "leave", value: { registration } });
        }),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#call[Symbol.asyncDispose]();
  }

  #say(message: Parameters<typeof said>[0]): void {
    this.#call.stream.write(said(message));
  }

  #hear({ message }: FromHub): void {
    if (message.case === "job")
      this.#services[message.value.registration - 1]!.put(this.#jobOf(message.value));
    else if (message.case === "left") this.#left.get(message.value.registration)?.();
    else if (message.case === "cancel")
      this.#ended.get(message.value.job)!.put(message.value.failure!.reason);
  }

  #jobOf({ job, payload, contentType, headers, deadlineMs }: GrpcJob): Job {
    const ended = new Mailbox<string>();
    this.#ended.set(job, ended);
    return {
      payload: fromTyped({ body: payload, contentType }),
      headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
      timeLeft: deadlineMs,
      answer: (sent) => {
        const { body, contentType: type = "" } = toTyped(sent.payload);
        const own = Object.entries(sent.headers ?? {}).map(([name, value]) => ({ name, value }));
        this.#say({ case: "answer", value: { job, payload: body, contentType: type, headers: own } });
      },
      fail: (failure) => this.#say({ case: "failed", value: { job, failure } }),
      ended: () => ended.next(),
    };
  }
}
