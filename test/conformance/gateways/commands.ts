/**
 * Commands: programs that send and read JSON objects, with nothing of Lintel's. One announces what it does, over a WebSocket; one
 * announces nothing, as clients of DRS do, and speaks over TCP.
 */
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { WebSocket } from "ws";
import {
  EVERY_SAMPLE,
  Mailbox,
  NOTHING,
  SAMPLES,
  jsonOf,
  noVerb,
  textOf,
  type Asked,
  type FailureSeen,
  type GatewayDriver,
  type GatewayOutcome,
  type Job,
  type Listening,
  type Payload,
  type Program,
  type Received,
  type Sent,
  type WorkerService,
} from "../../../src/testing/index.ts";
import { LintelError } from "../../../src/index.ts";

const WRITES = { ...EVERY_SAMPLE, bytes: "a command is JSON, which has no bytes" };
const READS = {
  ...EVERY_SAMPLE,
  bytes: {
    as: "a text in base64",
    payload: textOf(Buffer.from(SAMPLES.bytes.content, "hex").toString("base64")),
  },
};

export const commands: GatewayDriver = {
  name: "commands",
  supports: {
    request: true,
    serve: true,
    publish: true,
    subscribe: true,
    enable: { request: true, publish: true, subscribe: true },
    use: { request: true, publish: true, subscribe: true },
    sends: WRITES,
    answers: WRITES,
    receives: READS,
    isAnswered: READS,
    headers: "commands have no headers",
    limitsTime: true,
    withdraws: true,
    seesTime: true,
    seesEnd: true,
    unsubscribes: true,
    leaves: true,
    fails: ["code", "reason", "message"],
    isTold: ["code", "reason", "message"],
  },
  async connect({ hub, keyOf }, role) {
    const socket = new WebSocket(`${hub.httpUrl!.replace("http", "ws")}/socket?token=${keyOf(role)}`);
    await once(socket, "open");
    return new CommandProgram(overWebSocket(socket));
  },
};

/** Of one that may serve nothing, and is therefore asked nothing. */
export const CALLER_KEY = "key-of-callers";
/** Of one that is asked whatever clients of DRS are asked. */
export const DRS_KEY = "key-of-drs";
const NO_ANNOUNCEMENT = "a client of DRS announces nothing, and so cannot publish, enable or take back";
const NO_TIME = "a command of DRS does not say how long its sender waits";

export const drs: GatewayDriver = {
  name: "DRS",
  supports: {
    ...commands.supports,
    publish: NO_ANNOUNCEMENT,
    enable: noVerb(NO_ANNOUNCEMENT),
    use: { request: true, publish: NO_ANNOUNCEMENT, subscribe: NO_ANNOUNCEMENT },
    limitsTime: NO_TIME,
    withdraws: NO_ANNOUNCEMENT,
    seesTime: NO_TIME,
    seesEnd: "a client of DRS is not told that its caller waits no longer",
    unsubscribes: "broadcasts go to every client of DRS, which can only ignore them",
    leaves:
      "clients of DRS are asked one after the other: one that leaves may have been asked for what another does",
    fails: ["message"],
  },
  async connect({ hub, keyOf }, role, { side, isMortal }) {
    const { hostname, port } = new URL(hub.commandsUrls.find((url) => url.startsWith("tcp:"))!);
    const key = isMortal || side === "from" ? CALLER_KEY : role === "service" ? DRS_KEY : keyOf(role);
    const socket = connectTcp(Number(port), hostname);
    await once(socket, "connect");
    const program = new DrsProgram(overTcp(socket));
    await program.request("auth.upgrade", { payload: textOf(key) }).outcome;
    return program;
  },
};

/** What carries the objects. */
interface Line {
  send(object: string): void;
  /** Called with each object that comes, as a text. */
  onObject: (object: string) => void;
  cut(): Promise<void>;
}

function overWebSocket(socket: WebSocket): Line {
  const line: Line = {
    send: (object) => socket.send(`${object}\n`),
    onObject: () => undefined,
    async cut() {
      if (socket.readyState === WebSocket.CLOSED) return;
      socket.terminate();
      await once(socket, "close");
    },
  };
  socket.on("error", () => undefined);
  socket.on("message", (frame) => line.onObject((frame as Buffer).toString()));
  return line;
}

/** One object behind the other: each ends where its bracket is closed. */
function overTcp(socket: Socket): Line {
  let rest = "";
  const line: Line = {
    send: (object) => void socket.write(object),
    onObject: () => undefined,
    async cut() {
      if (socket.closed) return;
      socket.resetAndDestroy();
      await once(socket, "close");
    },
  };
  socket.on("error", () => undefined);
  socket.setEncoding("utf8").on("data", (text) => {
    rest += String(text);
    for (;;) {
      const end = endOfValue(rest, 0);
      if (end === undefined) return;
      const object = rest.slice(0, end);
      rest = rest.slice(end).trimStart();
      line.onObject(object);
    }
  });
  return line;
}

interface Command {
  readonly key?: string;
  readonly action: string;
  readonly body?: unknown;
  readonly timeout?: number;
  /** The body as it was written. */
  readonly payload: Payload;
}

class CommandProgram implements Program {
  readonly #line: Line;
  readonly #calls = new Map<string, (reply: Command) => void>();
  /** By action, as are those it listens to. */
  protected readonly services: Map<string, Mailbox<Job>> = new Map();
  protected readonly listening: Map<string, Mailbox<Received>> = new Map();
  readonly #ended = new Map<string, Mailbox<string>>();
  #count = 0;

  constructor(line: Line) {
    this.#line = line;
    line.onObject = (object) => this.#take(commandOf(object));
  }

  request(subject: string, { payload }: Sent, timeoutMs?: number): Asked {
    const { key, reply } = this.#call(subject, written(payload), timeoutMs);
    return {
      outcome: reply.then(outcomeOf),
      leave: () => this.#send({ action: "lintel.cancel", body: JSON.stringify({ key }) }),
    };
  }

  publish(subject: string, { payload }: Sent): Promise<void> {
    const body = written(payload);
    return this.#do(
      "lintel.publish",
      `{"action":"${subject}"${body === undefined ? "" : `,"body":${body}`}}`,
    );
  }

  async serve(subject: string): Promise<WorkerService> {
    const jobs = new Mailbox<Job>();
    this.services.set(subject, jobs);
    await this.#do("lintel.serve", JSON.stringify(subject));
    return { next: () => jobs.next(), close: () => this.#do("lintel.unserve", JSON.stringify(subject)) };
  }

  async subscribe(subject: string): Promise<Listening> {
    const heard = new Mailbox<Received>();
    this.listening.set(subject, heard);
    await this.#do("lintel.subscribe", JSON.stringify(subject));
    return {
      get waiting() {
        return heard.waiting;
      },
      next: () => heard.next(),
      close: () => this.#do("lintel.unsubscribe", JSON.stringify(subject)),
    };
  }

  enable(verb: string, pattern: string): Promise<void> {
    return this.#do("lintel.enable", JSON.stringify({ verb, pattern }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#line.cut();
  }

  #take(command: Command): void {
    const { key, action, body } = command;
    if (action.startsWith("drs.")) {
      this.#calls.get(key!)?.(command);
      this.#calls.delete(key!);
    } else if (action === "lintel.cancel") {
      const { key: ended, reason } = body as { readonly key: string; readonly reason: string };
      this.#ended.get(ended)?.put(reason);
    } else if (action === "lintel.ended") return;
    else if (key === undefined) this.listening.get(action)?.put({ payload: command.payload, headers: {} });
    else this.#work(key, command);
  }

  /** The body of an error. */
  protected errorOf(failure: FailureSeen): FailureSeen {
    return failure;
  }

  /** What it has no handler for is answered as by every client of DRS. */
  #work(key: string, command: Command): void {
    const { action } = command;
    const jobs = this.services.get(action);
    if (jobs !== undefined) jobs.put(this.#jobOf(key, command));
    else
      this.#send({
        key,
        action: "drs.error",
        body: JSON.stringify({ message: `No handlers for ${action}` }),
      });
  }

  #jobOf(key: string, { payload, timeout }: Command): Job {
    const ended = new Mailbox<string>();
    this.#ended.set(key, ended);
    return {
      payload,
      headers: {},
      timeLeft: timeout,
      answer: (sent) => this.#send({ key, action: "drs.response", body: written(sent.payload) }),
      fail: (failure) =>
        this.#send({ key, action: "drs.error", body: JSON.stringify(this.errorOf(failure)) }),
      ended: () => ended.next(),
    };
  }

  #call(
    action: string,
    body?: string,
    timeout?: number,
  ): { readonly key: string; readonly reply: Promise<Command> } {
    const key = `key-${++this.#count}`;
    const reply = new Promise<Command>((resolve) => this.#calls.set(key, resolve));
    this.#send({ key, action, body, timeout });
    return { key, reply };
  }

  /** Rejects with what an error or exception says. */
  async #do(action: string, body: string): Promise<void> {
    const outcome = outcomeOf(await this.#call(action, body).reply);
    if (!("failure" in outcome)) return;
    const { code = "unknown", reason = "UNKNOWN", message = "" } = outcome.failure;
    throw new LintelError(code as LintelError["code"], message, { reason });
  }

  /** `body` is JSON. */
  #send({
    key,
    action,
    body,
    timeout,
  }: {
    key?: string;
    action: string;
    body?: string | undefined;
    timeout?: number | undefined;
  }): void {
    const fields = [
      ...(key === undefined ? [] : [`"key":${JSON.stringify(key)}`]),
      `"action":${JSON.stringify(action)}`,
      ...(body === undefined ? [] : [`"body":${body}`]),
      ...(timeout === undefined ? [] : [`"timeout":${timeout}`]),
    ];
    this.#line.send(`{${fields.join(",")}}`);
  }
}

/** It has handlers, and tells nobody. */
class DrsProgram extends CommandProgram {
  protected override errorOf({ message = "" }: FailureSeen): FailureSeen {
    return { message };
  }

  override serve(subject: string): Promise<WorkerService> {
    const jobs = new Mailbox<Job>();
    this.services.set(subject, jobs);
    const close = (): Promise<void> => Promise.resolve(void this.services.delete(subject));
    return Promise.resolve({ next: () => jobs.next(), close });
  }

  override subscribe(subject: string): Promise<Listening> {
    const heard = new Mailbox<Received>();
    this.listening.set(subject, heard);
    return Promise.resolve({
      get waiting() {
        return heard.waiting;
      },
      next: () => heard.next(),
      close: () => Promise.resolve(void this.listening.delete(subject)),
    });
  }
}

function outcomeOf({ action, body, payload }: Command): GatewayOutcome {
  if (action === "drs.response") return { answer: { payload, headers: {} } };
  const failure = body as FailureSeen;
  // All that clients of DRS have ever been told of it.
  if (failure.message?.startsWith("No handlers for ") === true)
    return { failure: { code: "unavailable", reason: "NO_RESPONDERS", message: failure.message } };
  return { failure };
}

function commandOf(frame: string): Command {
  const fields = JSON.parse(frame) as Omit<Command, "payload">;
  return { ...fields, payload: payloadOf(fields.body, frame) };
}

function payloadOf(body: unknown, frame: string): Payload {
  if (body === undefined || body === null) return NOTHING;
  return typeof body === "string" ? textOf(body) : jsonOf(valueAt(frame, frame.indexOf('"body":') + 7));
}

/** The JSON value that begins here. It is an object or an array, or the last member of its object. */
function valueAt(text: string, start: number): string {
  return text.slice(start, endOfValue(text, start) ?? text.lastIndexOf("}"));
}

/** Where the bracket is behind which the object or array is over; undefined where it is not. */
function endOfValue(text: string, start: number): number | undefined {
  let depth = 0;
  let isText = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isText) {
      if (character === "\\") at++;
      else if (character === '"') isText = false;
    } else if (character === '"') isText = true;
    else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth <= 0) return depth < 0 ? at : at + 1;
    else if (character === "," && depth === 0) return at;
  }
  return undefined;
}

function written({ kind, content }: Payload): string | undefined {
  if (kind === "none") return undefined;
  return kind === "json" ? content : JSON.stringify(content);
}
