/** Commands: a program that sends and reads JSON objects over a WebSocket, with nothing of Lintel's. */
import { once } from "node:events";
import { WebSocket } from "ws";
import {
  EVERY_SAMPLE,
  Mailbox,
  NOTHING,
  SAMPLES,
  jsonOf,
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
    fails: ["code", "reason", "message"],
    isTold: ["code", "reason", "message"],
  },
  async connect({ hub, keyOf }, role) {
    const socket = new WebSocket(`${hub.httpUrl!.replace("http", "ws")}/socket?token=${keyOf(role)}`);
    await once(socket, "open");
    return new CommandProgram(socket);
  },
};

interface Command {
  readonly key?: string;
  readonly action: string;
  readonly body?: unknown;
  readonly timeout?: number;
  /** The body as it was written. */
  readonly payload: Payload;
}

class CommandProgram implements Program {
  readonly #socket: WebSocket;
  readonly #calls = new Map<string, (reply: Command) => void>();
  readonly #services = new Map<string, Mailbox<Job>>();
  readonly #listening = new Map<string, Mailbox<Received>>();
  readonly #ended = new Map<string, Mailbox<string>>();
  #count = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (frame) => this.#take(commandOf((frame as Buffer).toString())));
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
    this.#services.set(subject, jobs);
    await this.#do("lintel.serve", JSON.stringify(subject));
    return { next: () => jobs.next(), close: () => this.#do("lintel.unserve", JSON.stringify(subject)) };
  }

  async subscribe(subject: string): Promise<Listening> {
    const heard = new Mailbox<Received>();
    this.#listening.set(subject, heard);
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

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.terminate();
    await once(this.#socket, "close");
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
    else if (key === undefined) this.#listening.get(action)!.put({ payload: command.payload, headers: {} });
    else this.#services.get(action)!.put(this.#jobOf(key, command));
  }

  #jobOf(key: string, { payload, timeout }: Command): Job {
    const ended = new Mailbox<string>();
    this.#ended.set(key, ended);
    return {
      payload,
      headers: {},
      timeLeft: timeout,
      answer: (sent) => this.#send({ key, action: "drs.response", body: written(sent.payload) }),
      fail: (failure) => this.#send({ key, action: "drs.error", body: JSON.stringify(failure) }),
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
    this.#socket.send(`{${fields.join(",")}}\n`);
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

/** The JSON value that begins here: up to the bracket that closes it. */
function valueAt(text: string, start: number): string {
  let depth = 0;
  let isText = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isText) {
      if (character === "\\") at++;
      else if (character === '"') isText = false;
    } else if (character === '"') isText = true;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    else if (depth === 0 && character === ",") return text.slice(start, at);
    if (depth === 0 && !isText && (character === "}" || character === "]")) return text.slice(start, at + 1);
    if (depth < 0) return text.slice(start, at);
  }
  return text.slice(start);
}

function written({ kind, content }: Payload): string | undefined {
  if (kind === "none") return undefined;
  return kind === "json" ? content : JSON.stringify(content);
}
