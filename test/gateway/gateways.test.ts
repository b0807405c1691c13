/** Every gateway is held to the same suite. */
import { connect as connectTcp, type Socket } from "node:net";
import { after } from "node:test";
import { text as readText } from "node:stream/consumers";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { GatewayKind } from "../../src/gateway/gateway.ts";
import { connect, createHub, type DuplexStream, type Hub, type HubConfig } from "../../src/index.ts";
import type { ForeignRequest, GatewaySuiteOptions } from "../../src/testing/index.ts";
import { gatewaySuite } from "../../src/testing/index.ts";
import { root } from "../house/root.ts";
import { until } from "../house/until.ts";
import { RawClient } from "./commands/raw-client.ts";
import { RawCall, said } from "./grpc/raw-call.ts";
import { RawText, frame } from "./text/raw-text.ts";

/** Where a gateway listens: anywhere, or where another did. */
function portOf([url]: readonly string[] = []): number {
  return url === undefined ? 0 : Number(new URL(url.replace(/^\w+:/, "http:")).port);
}

function reasonOf(error: unknown): string {
  const { reason, code } = error as { readonly reason?: string; readonly code?: string };
  return reason ?? code ?? String(error);
}

/** HTTP, as a browser or curl uses it. */
function post(hub: Hub, subject: string, body: string, path = subject.replaceAll(".", "/")): ForeignRequest {
  const gone = new AbortController();
  const outcome = fetch(`${urlOf(hub, "http")}/${path}`, { method: "POST", body, signal: gone.signal })
    .then(async (answer) => {
      if (answer.ok) return `answered ${await answer.text()}`;
      return ((await answer.json()) as { readonly reason: string }).reason;
    })
    .catch(reasonOf);
  return { outcome, leave: () => gone.abort() };
}

function urlOf(hub: Hub, gateway: string): string {
  return hub.gateways.find(({ name }) => name === gateway)?.urls[0] ?? "";
}

async function sendRaw(hub: Hub, gateway: string, bytes: string): Promise<string> {
  const socket = connectTcp(portOf([urlOf(hub, gateway)]), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.end(bytes);
  return readText(socket).catch(reasonOf);
}

const routes = [{ path: "/soon", subject: "suite.held", timeout: "50ms" }];
const http: GatewaySuiteOptions = {
  gateway: "http",
  config: (urls) => ({ http: { listen: portOf(urls), routes, defaultMapping: true } }),
  request: post,
  requestWithin: (hub, subject) => post(hub, subject, "", "soon"),
  garbage: (hub) => sendRaw(hub, "http", "\x00\x01 nonsense\r\n\r\n"),
  refusal: /^HTTP\/1\.1 400 /,
};

const native: GatewaySuiteOptions = {
  gateway: "native",
  config: ([url = "tcp://127.0.0.1:0"] = []) => ({ listen: [url] }),
  async request(hub, subject, value) {
    const peer = await connect(hub.urls[0]!, { timeoutMs: 500 }).catch(reasonOf);
    if (typeof peer === "string") return { outcome: Promise.resolve(peer), leave: () => undefined };
    const outcome = peer.request(subject, value).then((answer) => `answered ${String(answer)}`, reasonOf);
    void outcome.then(() => peer.close());
    return { outcome, leave: () => void peer.close() };
  },
  async work(hub, subject) {
    const peer = await connect(hub.urls[0]!, { onError: () => undefined });
    const jobs: { text: string; answer(text: string): Promise<void> }[] = [];
    await peer.serve(subject, (value) => {
      return new Promise((resolve) =>
        jobs.push({ text: String(value), answer: (text) => Promise.resolve(resolve(text)) }),
      );
    });
    return { next: () => until(() => jobs.shift(), "a job"), leave: () => void peer.close() };
  },
  garbage: (hub) => sendRaw(hub, "native", "GET / HTTP/1.1\r\n\r\n"),
};

const jobs: GatewaySuiteOptions = {
  gateway: "jobs",
  config: (urls) => ({ ...http.config(urls), jobs: true }),
  async work(hub, subject) {
    const gone = new AbortController();
    const url = urlOf(hub, "http");
    // Fetched ahead, as workers do: a request then finds a poll that waits.
    const poll = (): Promise<Response> =>
      fetch(`${url}/service/${subject}/jobs?wait=20s`, { signal: gone.signal });
    let polled = poll();
    polled.catch(() => undefined);
    await until(() => hub.stats().gateways["jobs"]?.["polls"] === 1, "the poll");
    return {
      async next() {
        const { id, originalRequest } = (await (await polled).json()) as Record<string, string>;
        return {
          text: originalRequest!,
          async answer(body) {
            await fetch(`${url}/jobs/${id}`, { method: "POST", body });
            polled = poll();
            polled.catch(() => undefined);
          },
        };
      },
      leave: () => gone.abort(),
    };
  },
};

const grpc: GatewaySuiteOptions = {
  gateway: "grpc",
  config: (urls) => ({ grpc: { listen: portOf(urls) } }),
  async work(hub, subject) {
    const raw = new RawCall(hub.grpcUrl!).listen();
    raw.stream.write(said({ case: "register", value: { registration: 1, subject } }));
    await until(() => raw.heard.some(({ message }) => message.case === "registered"), "the registration");
    let seen = 0;
    return {
      async next() {
        const found = await until(
          () => raw.heard.slice(seen).find(({ message }) => message.case === "job"),
          "a job",
        );
        seen = raw.heard.indexOf(found) + 1;
        const { job, payload } = found.message.value as { job: number; payload: Uint8Array };
        return {
          text: Buffer.from(payload).toString(),
          async answer(text) {
            const value = { job, payload: Buffer.from(text), contentType: "text/plain" };
            raw.stream.write(said({ case: "answer", value }));
            await Promise.resolve();
          },
        };
      },
      leave: () => void raw[Symbol.asyncDispose](),
    };
  },
  garbage: (hub) => sendRaw(hub, "grpc", "GET / HTTP/1.1\r\n\r\n"),
};

/** Commands over a WebSocket, or over TCP. Patterns in `serve` are not announced. */
function commandsOver(scheme: "ws" | "tcp", serve: readonly string[] = []): GatewaySuiteOptions {
  const call = (
    hub: Hub,
    action: string,
    body: string,
    more: { readonly timeout?: number } = {},
  ): ForeignRequest => {
    const opened = RawClient.open(urlOf(hub, "commands"));
    const outcome = opened.then(async (client) => {
      const { action: how, body: replied } = await client.call(action, body, more);
      client.leave();
      if (how === "drs.response") return `answered ${String(replied)}`;
      const { reason, message } = (replied ?? {}) as { readonly reason?: string; readonly message?: string };
      return reason ?? message ?? how;
    }, reasonOf);
    return { outcome, leave: () => void opened.then((client) => client.leave()) };
  };
  return {
    gateway: "commands",
    config: ([url = `${scheme}://127.0.0.1:0`] = []) => ({
      commands: { listen: url.replace(/\/socket$/, ""), serve },
    }),
    request: call,
    requestWithin: (hub, subject, timeout) => call(hub, subject, "", { timeout }),
    noResponders: /^No handlers for suite\.nobody$/,
    async work(hub, subject) {
      const client = await RawClient.open(urlOf(hub, "commands"));
      await (serve.includes(subject) ? client.call("drs.ping") : client.call("lintel.serve", subject));
      return {
        async next() {
          const { key, body } = await client.nextCommand();
          const answer = (text: string): Promise<void> =>
            Promise.resolve(client.send({ key: key!, action: "drs.response", body: text }));
          return { text: String(body), answer };
        },
        leave: () => client.leave(),
      };
    },
    garbage: (hub) => sendRaw(hub, "commands", "[1]\r\n\r\n"),
  };
}

const req = (hub: Hub, subject: string, body: string, headers: string[] = []): ForeignRequest => {
  const opened = RawText.open(urlOf(hub, "text"), "key");
  const outcome = opened.then(async (client) => {
    client.send(frame(`REQ ${subject}`, headers, body));
    const message = await client.message();
    void client.close();
    if (message.first.startsWith("RES ")) return `answered ${message.body}`;
    return message.headers.find((header) => header.startsWith("reason:"))?.slice(7) ?? message.first;
  });
  return {
    outcome: outcome.catch(reasonOf),
    leave: () => void opened.then((client) => client.close(), reasonOf),
  };
};

const overText: GatewaySuiteOptions = {
  gateway: "text",
  config: ([url = "ws://127.0.0.1:0"] = []) => ({ text: { listen: url } }),
  request: req,
  requestWithin: (hub, subject, timeout) => req(hub, subject, "", [`Timeout: ${timeout}`]),
  async work(hub, subject) {
    const worker = await RawText.open(urlOf(hub, "text"), "key");
    worker.send(frame(`EREQ ${subject}`));
    await worker.settled();
    return {
      async next() {
        const { headers, body } = await worker.message();
        const answer = (answered: string): Promise<void> =>
          Promise.resolve(worker.send(frame(`RES ${subject}`, [headers[0]!], answered)));
        return { text: body, answer };
      },
      leave: () => void worker.close(),
    };
  },
  garbage: (hub) => sendRaw(hub, "text", "GET / HTTP/1.1\r\n\r\n"),
};

const back = await createHub({ http: false, jobs: false, listen: ["tcp://127.0.0.1:0"] });
after(() => back.close());

gatewaySuite("commands over TCP", commandsOver("tcp"));
gatewaySuite("commands, to handlers that nobody has announced", commandsOver("ws", ["suite.work"]));

for (const suite of [http, native, jobs, grpc, overText, commandsOver("ws")]) {
  gatewaySuite(suite.gateway, suite);
  gatewaySuite(`${suite.gateway}, in front of another hub`, {
    ...suite,
    config: (urls) => ({ ...suite.config(urls), engine: back.urls[0]! }),
    ready: (hub) =>
      until(() => hub.request("suite.fence").catch((error: unknown) => reasonOf(error) === "NO_RESPONDERS")),
  });
}

/** One line over TCP, and the line that comes back. */
function line(port: number, text: string): ForeignRequest {
  const socket: Socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(`${text}\n`);
  const read = async (): Promise<string> => {
    let got = "";
    for await (const chunk of socket.setEncoding("utf8")) {
      got += String(chunk);
      if (got.includes("\n")) break;
    }
    return got;
  };
  const outcome = read().then(
    (got) => (got.startsWith("! ") || got === "" ? got : `answered ${got.trimEnd()}`),
    reasonOf,
  );
  void outcome.then(() => socket.destroy());
  // Not the end of what it sends: whoever sends nothing more may still wait for the answer.
  return { outcome, leave: () => socket.resetAndDestroy() };
}

const { default: lines } = (await import(pathToFileURL(join(root, "examples", "line-gateway.js")).href)) as {
  readonly default: GatewayKind;
};

gatewaySuite("lines, a gateway of the user's", {
  gateway: "lines",
  config: (urls): HubConfig => ({ gateways: [{ kind: lines, options: { port: portOf(urls) } }] }),
  request: (hub, subject, text) => line(portOf([urlOf(hub, "lines")]), `${subject} ${JSON.stringify(text)}`),
  garbage: (hub) => sendRaw(hub, "lines", "..\n"),
  refusal: /^! [A-Z_]+\n$/,
});

/** A connection is the request, and what comes over it the answer. */
gatewaySuite("tunnel", {
  gateway: "tunnel",
  config: (urls) => ({
    tunnel: ["suite.echo", "suite.held", "suite.nobody"].map((subject, index) => ({
      subject,
      listen: portOf(urls?.slice(index)),
    })),
  }),
  request: (hub, subject, text) => {
    const { urls } = hub.gateways.find(({ name }) => name === "tunnel")!;
    return line(portOf(urls.slice(["suite.echo", "suite.held", "suite.nobody"].indexOf(subject))), text);
  },
  noResponders: /^(ECONNRESET)?$/,
  serve: (hub, subject, handler) =>
    hub.serve(subject, async (value, { signal }) => {
      const { readable, writable } = value as DuplexStream;
      const { value: bytes } = await readable.getReader().read();
      const text = await handler(
        Buffer.from(bytes as Uint8Array)
          .toString()
          .trimEnd(),
        signal,
      );
      const writer = writable.getWriter();
      void writer.write(Buffer.from(`${text}\n`)).catch(() => undefined);
      void writer.close().catch(() => undefined);
    }),
});
