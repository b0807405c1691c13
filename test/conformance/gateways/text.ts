/** Text: a program that sends and reads frames of the text protocol, with nothing of Lintel's. */
import { once } from "node:events";
import { WebSocket } from "ws";
import {
  EVERY_SAMPLE,
  Mailbox,
  NOTHING,
  jsonOf,
  textOf,
  type Asked,
  type GatewayDriver,
  type GatewayOutcome,
  type GatewayRole,
  type Headers,
  type Job,
  type Listening,
  type MatrixHub,
  type Payload,
  type Program,
  type Received,
  type Sent,
  type WorkerService,
} from "../../../src/testing/index.ts";
import { LintelError, type EnabledVerb } from "../../../src/index.ts";

const UTF8 = "a frame of the text protocol is UTF-8";
const WRITES = { ...EVERY_SAMPLE, bytes: UTF8, nothing: "an empty body is an empty text" };
const READS = { ...EVERY_SAMPLE, nothing: { as: "an empty text", payload: textOf("") } };

export const text: GatewayDriver = {
  name: "text",
  supports: {
    request: true,
    serve: true,
    publish: true,
    subscribe: true,
    enable: { request: true, publish: true, subscribe: true },
    use: { request: true, publish: true, subscribe: true },
    sends: WRITES,
    answers: WRITES,
    receives: { ...READS, bytes: { refused: "BAD_PAYLOAD" } },
    isAnswered: { ...READS, bytes: { refused: "BAD_ANSWER" } },
    headers: true,
    limitsTime: true,
    withdraws: "no command of the text protocol takes a REQ back",
    seesTime: true,
    seesEnd: true,
    unsubscribes: true,
    leaves: true,
    fails: ["code", "reason", "message"],
    isTold: ["code", "reason", "message"],
  },
  connect: connectText,
};

async function connectText(matrix: MatrixHub, role: GatewayRole): Promise<TextProgram> {
  const socket = new WebSocket(`${matrix.hub.httpUrl!.replace("http", "ws")}/text`);
  const program = new TextProgram(matrix, socket);
  await once(socket, "open");
  socket.send(matrix.keyOf(role));
  await program.welcomed();
  return program;
}

interface Frame {
  readonly command: string;
  readonly target: string;
  readonly headers: Headers;
  readonly body: string;
}

class TextProgram implements Program {
  readonly #matrix: MatrixHub;
  readonly #socket: WebSocket;
  /** What comes before messages: the greeting, and the name of the connection. */
  readonly #greeting = new Mailbox<string>();
  readonly #asked = new Map<string, (outcome: GatewayOutcome) => void>();
  readonly #services = new Map<string, Mailbox<Job>>();
  readonly #listening = new Map<string, Mailbox<Received>>();
  readonly #ended = new Map<string, Mailbox<undefined>>();
  /** What was refused, by command and target. */
  readonly #refused = new Map<string, LintelError>();
  #count = 0;

  constructor(matrix: MatrixHub, socket: WebSocket) {
    this.#matrix = matrix;
    this.#socket = socket;
    socket.on("error", () => undefined);
    let lines = 0;
    socket.on("message", (data) => {
      const frame = (data as Buffer).toString();
      if (++lines > 2) this.#take(decode(frame));
      else this.#greeting.put(frame);
    });
  }

  async welcomed(): Promise<void> {
    const greeting = await this.#greeting.next();
    if (greeting !== "MM OK") throw new Error(`the greeting was ${greeting}`);
    await this.#greeting.next();
  }

  request(subject: string, { payload, headers = {} }: Sent, timeoutMs?: number): Asked {
    const id = `id-${++this.#count}`;
    const outcome = new Promise<GatewayOutcome>((resolve) => this.#asked.set(id, resolve));
    const timeout = timeoutMs === undefined ? {} : { Timeout: `${timeoutMs}ms` };
    this.#send("REQ", subject, { ...headers, ...timeout, ...typeOf(payload), ReqID: id }, payload.content);
    return { outcome, leave: () => undefined };
  }

  publish(subject: string, { payload, headers = {} }: Sent): Promise<void> {
    return this.#do("PUB", subject, { ...headers, ...typeOf(payload) }, payload.content);
  }

  async serve(subject: string): Promise<WorkerService> {
    const jobs = new Mailbox<Job>();
    this.#services.set(subject, jobs);
    await this.#do("EREQ", subject, { cancel: "yes" });
    return {
      next: () => jobs.next(),
      close: async () => {
        await this[Symbol.asyncDispose](); // nothing takes an EREQ back
        await this.#matrix.counted("service", subject, 0);
      },
    };
  }

  async subscribe(subject: string): Promise<Listening> {
    const heard = new Mailbox<Received>();
    this.#listening.set(subject, heard);
    await this.#do("SUB", subject);
    return {
      get waiting() {
        return heard.waiting;
      },
      next: () => heard.next(),
      close: () => this.#do("UNS", subject),
    };
  }

  async enable(verb: EnabledVerb, subject: string): Promise<void> {
    if (verb !== "request") return this.#do(verb === "publish" ? "EPUB" : "ESUB", subject);
    const service = await this.serve(subject);
    const answer = (job: Job): void => {
      void job.answer({ payload: textOf("done") });
      void service.next().then(answer);
    };
    void service.next().then(answer);
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.terminate();
    await once(this.#socket, "close");
  }

  /** Messages have no answer. They are worked off in their order, and so a request behind one is. Rejects with its ERROR. */
  async #do(command: string, target: string, headers: Headers = {}, body = ""): Promise<void> {
    const key = `${command} ${target}`;
    this.#send(command, target, headers, body);
    await this.request("x.fence", { payload: NOTHING }).outcome;
    const refused = this.#refused.get(key);
    this.#refused.delete(key);
    if (refused !== undefined) throw refused;
  }

  #send(command: string, target: string, headers: Headers, body: string): void {
    this.#socket.send(encode({ command, target, headers, body }));
  }

  #take({ command, target, headers, body }: Frame): void {
    const id = headers["reqid"];
    const { code = "", reason = "" } = headers;
    if (command === "PUB" && target === "ERROR") {
      if (id === undefined)
        this.#refuse(body, new LintelError(code as LintelError["code"], body, { reason }));
      else this.#settle(id, { failure: { code, reason, message: body.replace(/ REQ \S+$/, "") } });
    } else if (command === "PUB" && target === "CANCEL") this.#ended.get(headers["rid"]!)?.put(undefined);
    else if (command === "PUB")
      this.#listening.get(target)!.put({ payload: payloadOf(headers, body), headers });
    else if (command === "RES") this.#settle(id!, { answer: { payload: payloadOf(headers, body), headers } });
    else if (command === "REQ") this.#services.get(target)!.put(this.#jobOf(target, headers, body));
    else throw new Error(`a ${command} came`);
  }

  /** The text of an ERROR ends with the command and the target that it is about. */
  #refuse(body: string, error: LintelError): void {
    const [key = body] = /[A-Z]+ \S+$/.exec(body) ?? [];
    this.#refused.set(key, error);
  }

  #settle(id: string, outcome: GatewayOutcome): void {
    this.#asked.get(id)?.(outcome);
    this.#asked.delete(id);
  }

  #jobOf(target: string, headers: Headers, body: string): Job {
    const rid = headers["rid"]!;
    const ended = new Mailbox<undefined>();
    this.#ended.set(rid, ended);
    return {
      payload: payloadOf(headers, body),
      headers,
      timeLeft: Number(headers["timeout"]?.replace("ms", "")),
      answer: ({ payload, headers: own = {} }) =>
        this.#send("RES", target, { rid, ...own, ...typeOf(payload) }, payload.content),
      fail: ({ code, reason, message }) =>
        this.#send("RES", target, { rid, "Error-Code": code, "Error-Reason": reason }, message),
      ended: () => ended.next(),
    };
  }
}

function typeOf({ kind }: Payload): Headers {
  return kind === "json" ? { "content-type": "application/json" } : {};
}

function payloadOf(headers: Headers, body: string): Payload {
  if (headers["content-type"]?.startsWith("application/json") === true) return jsonOf(body);
  return textOf(body);
}

function encode({ command, target, headers, body }: Frame): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${command} ${target}\r\n${lines.join("")}\r\n${stuffed(body)}\r\n.\r\n`;
}

/** A line of the body that begins with a dot has one more on the wire. */
function stuffed(body: string): string {
  return body.replaceAll(/(^|\n)\./g, "$1..");
}

/** Names of headers in lower case. */
function decode(frame: string): Frame {
  const [, command = "", target = "", lines = "", body = ""] =
    /^(\S+) ([^\r]+)\r\n((?:[^\r]+\r\n)*)\r\n([^]*)\r\n\.\r\n$/.exec(frame) ?? [];
  const headers = lines
    .split("\r\n")
    .slice(0, -1)
    .map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
  return { command, target, headers: Object.fromEntries(headers), body: body.replaceAll(/(^|\n)\./g, "$1") };
}
