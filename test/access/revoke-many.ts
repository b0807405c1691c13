/** Half of many callers lose their credentials at once: how soon they are ended, and what is left of them. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { TestAccess } from "../../src/testing/test-access.ts";
import { LIMITS, helloBytes } from "../wire/frame-bytes.ts";
import { until } from "../house/until.ts";

export interface Callers {
  readonly sessions: number;
  readonly polls: number;
  readonly streams: number;
}

export interface Outcome {
  /** From the revocation until the last of them had heard of it. Milliseconds. */
  readonly ms: number;
  /** Callers of the revoked principal, and how many of them were ended. */
  readonly revoked: number;
  readonly ended: number;
  /** Callers of the other principal, and how many of them were ended. */
  readonly others: number;
  readonly othersEnded: number;
  /** Sessions, polls and streams that the hub still has: the others'. */
  readonly othersLeft: number;
  /** How much larger the heap is than before they came. Bytes. */
  readonly heap: number;
}

/** What each caller says first, when it is ready, and when it is ended. */
interface Kind {
  readonly hello: (token: string) => string | Buffer;
  readonly isReady: (heard: string) => boolean;
  readonly isEnded: (heard: string) => boolean;
}

const get = (path: string, token: string, more = ""): string =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`;

const KINDS: Readonly<Record<keyof Callers, Kind>> = {
  sessions: {
    hello: (token) => helloBytes({ ...LIMITS, token }),
    isReady: (heard) => heard !== "",
    isEnded: (heard) => heard.includes("UNAUTHENTICATED"),
  },
  polls: {
    hello: (token) => get("/service/sum/jobs?wait=60s", token),
    isReady: () => true, // it hears nothing: the hub counts it
    isEnded: (heard) => heard.startsWith("HTTP/1.1 401 "),
  },
  streams: {
    hello: (token) => get("/ticks", token, "Accept: text/event-stream\r\n"),
    isReady: (heard) => heard.includes("tick"),
    isEnded: (heard) => heard.includes("UNAUTHENTICATED"),
  },
};

class Caller {
  readonly token: string;
  readonly socket: Socket;
  heard = "";
  endedAt: number | undefined;
  readonly #kind: Kind;

  constructor(port: number, kind: Kind, token: string) {
    this.token = token;
    this.#kind = kind;
    this.socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text: string) => this.#hears(text));
    this.socket.on("error", () => undefined); // `close` follows
    this.socket.on("close", () => (this.endedAt ??= performance.now()));
    this.socket.write(kind.hello(token));
  }

  get isReady(): boolean {
    return this.#kind.isReady(this.heard);
  }

  #hears(text: string): void {
    this.heard += text;
    if (this.#kind.isEnded(this.heard)) this.endedAt ??= performance.now();
  }
}

/** So many connect at a time: the system has room for 511 that wait. */
const BATCH = 100;

async function come(hub: Hub, counts: Callers): Promise<Caller[]> {
  const ports = { sessions: hub.urls[0]!, polls: hub.httpUrl!, streams: hub.httpUrl! };
  const callers: Caller[] = [];
  for (const kind of ["sessions", "polls", "streams"] as const)
    for (let count = 0; count < counts[kind]; count++) {
      const caller = new Caller(Number(new URL(ports[kind]).port), KINDS[kind], count % 2 ? "ada" : "bob");
      callers.push(caller);
      if (count % BATCH === 0) await once(caller.socket, "connect");
    }
  await until(() => callers.every(({ isReady }) => isReady), "the callers");
  await until(() => hub.stats().gateways["jobs"]?.["polls"] === counts.polls, "the polls");
  return callers;
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** Every second caller is a principal's that is revoked. The heap is measured where `--expose-gc` is given. */
export async function revokeHalf(counts: Callers): Promise<Outcome> {
  const access = new TestAccess({ allows: () => true });
  await using hub = await createHub({
    listen: ["tcp://127.0.0.1:0"],
    http: { port: 0 },
    limits: { callerShare: 100, heartbeat: 600_000, heartbeatTimeout: 600_000 }, // these sessions answer no pings
    access,
    onError: () => undefined,
  });
  let streams = 0;
  await hub.serve("ticks", async function* (_value, { signal }) {
    streams++;
    try {
      yield "tick";
      await once(signal, "abort");
    } finally {
      streams--;
    }
  });
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const warm = await come(hub, { sessions: 2, polls: 2, streams: 2 });
  for (const { socket } of warm) socket.destroy();
  const isEmpty = (): boolean =>
    hub.stats().sessions === 0 && streams === 0 && hub.stats().gateways["http"]?.["connections"] === 0;
  await until(isEmpty, "the end of the first");
  const before = heapUsed();
  const callers = await come(hub, counts);
  const at = performance.now();
  access.revoke("ada");
  const theirs = callers.filter(({ token }) => token === "ada");
  await until(() => theirs.every(({ endedAt }) => endedAt !== undefined), "the end of all of them");
  const others = callers.filter(({ token }) => token !== "ada");
  const othersEnded = others.filter(({ endedAt }) => endedAt !== undefined).length;
  for (const { socket } of theirs) socket.destroy();
  const left = (): number => {
    const { sessions, gateways } = hub.stats();
    return sessions + gateways["jobs"]!["polls"]! + streams;
  };
  await until(() => left() <= others.length, "what the hub holds for them");
  const othersLeft = left();
  for (const { socket } of others) socket.destroy();
  const outcome = {
    ms: Math.max(...theirs.map(({ endedAt }) => endedAt! - at)),
    revoked: theirs.length,
    ended: theirs.length,
    others: all - theirs.length,
    othersEnded,
    othersLeft,
  };
  callers.length = theirs.length = others.length = 0;
  await until(isEmpty, "the end of all");
  return { ...outcome, heap: heapUsed() - before };
}
