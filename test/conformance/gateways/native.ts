/** Native: programs with a client of Lintel, over a session. */
import {
  EVERY_SAMPLE,
  Mailbox,
  NOTHING,
  bytesOf,
  jsonOf,
  textOf,
  type Asked,
  type GatewayDriver,
  type Job,
  type Listening,
  type GatewayOutcome,
  type Payload,
  type Received,
  type Sent,
} from "../../../src/testing/index.ts";
import { LintelError, connect, type Context, type Peer } from "../../../src/index.ts";

const DOUBLES = "a peer writes values of JavaScript, whose numbers are doubles";
const WRITES = { ...EVERY_SAMPLE, "a number of 20 digits": DOUBLES };

export const native: GatewayDriver = {
  name: "native",
  supports: {
    request: true,
    serve: true,
    publish: true,
    subscribe: true,
    enable: { request: true, publish: true, subscribe: true },
    use: { request: true, publish: true, subscribe: true },
    sends: WRITES,
    answers: WRITES,
    receives: EVERY_SAMPLE,
    isAnswered: EVERY_SAMPLE,
    headers: true,
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
    const peer = await connect(hub.urls[0]!, { token: keyOf(role), onError: () => undefined });
    return {
      request: (subject, sent, timeoutMs) => ask(peer, subject, sent, timeoutMs),
      async serve(subject) {
        const jobs = new Mailbox<Job>();
        const service = await peer.serve(subject, (value, context) => jobFor(jobs, value, context));
        return {
          next: () => jobs.next(),
          close: () => service.close(),
        };
      },
      async publish(subject, { payload, headers = {} }) {
        await peer.publish(subject, valueOf(payload), { headers });
      },
      subscribe: (subject) => subscribe(peer, subject),
      async enable(verb, subject) {
        await peer.enable(verb, subject);
      },
      [Symbol.asyncDispose]: () => peer.close(),
    };
  },
};

function ask(peer: Peer, subject: string, { payload, headers = {} }: Sent, timeoutMs?: number): Asked {
  const gone = new AbortController();
  const options = { headers, full: true, signal: gone.signal } as const;
  const asked = peer.request(subject, valueOf(payload), {
    ...options,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const outcome = asked.then(
    ({ value, body, headers: answered }): GatewayOutcome => ({ answer: receivedOf(value, body, answered) }),
    (error: unknown): GatewayOutcome => {
      if (!(error instanceof LintelError)) throw error;
      const { code, reason, message } = error;
      return { failure: { code, reason, message } };
    },
  );
  return { outcome, leave: () => gone.abort() };
}

function jobFor(jobs: Mailbox<Job>, value: unknown, context: Context): Promise<unknown> {
  const { signal, reply } = context;
  return new Promise((resolve, reject) => {
    jobs.put({
      ...receivedOf(value, context.body, context.headers),
      timeLeft: context.deadline - Date.now(),
      answer({ payload, headers = {} }) {
        Object.assign(reply.headers, headers);
        resolve(valueOf(payload));
      },
      fail: ({ code, reason, message }) =>
        reject(new LintelError(code as LintelError["code"], message, { reason })),
      ended: () =>
        new Promise((end) => {
          const tell = (): void => end((signal.reason as LintelError).reason);
          if (signal.aborted) tell();
          else signal.addEventListener("abort", tell);
        }),
    });
  });
}

async function subscribe(peer: Peer, subject: string): Promise<Listening> {
  const heard = new Mailbox<Received>();
  const subscription = await peer.subscribe(subject, (value, { body, headers }) =>
    heard.put(receivedOf(value, body, headers)),
  );
  subscription.closed.catch(() => undefined); // it may end with what had enabled it
  return {
    get waiting() {
      return heard.waiting;
    },
    next: () => heard.next(),
    close: () => subscription.close(),
  };
}

function receivedOf(
  value: unknown,
  body: Uint8Array,
  headers: Iterable<readonly [string, string]>,
): Received {
  return { payload: payloadOf(value, body), headers: Object.fromEntries(headers) };
}

/** The digits of JSON are those of the body. */
function payloadOf(value: unknown, body: Uint8Array): Payload {
  if (value === undefined) return NOTHING;
  if (typeof value === "string") return textOf(value);
  if (value instanceof Uint8Array) return bytesOf(value);
  return jsonOf(Buffer.from(body).toString());
}

function valueOf({ kind, content }: Payload): unknown {
  switch (kind) {
    case "none":
      return undefined;
    case "text":
      return content;
    case "json":
      return JSON.parse(content);
    case "bytes":
      return Buffer.from(content, "hex");
  }
}
