/** Jobs that were read, over connections that end in every way: each is executed once, and its answer counts. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { createHub } from "../../../src/index.ts";
import { provide } from "../../house/provide.ts";
import { root } from "../../house/root.ts";
import { Proxy, freePorts } from "../../proxy/proxy-process.ts";
import { AUTHORITY, pair } from "../../transport/certificates.ts";
import type { GivenJob } from "./harness.ts";

const CA = join(root, "test/certificates/authority.pem");
const REQUESTS = 3;
/** A client that ends its side is there for so long, and then no more. */
const LATER_MS = 200;
const PATH = "/service/a/jobs?wait=5s";
const POLL = `GET ${PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

before(() => provide("curl", "python3", "haproxy"));

/** Polls at a URL of the hub, reads the job, and ends the connection. Resolves with the job. */
type Client = (url: URL) => Promise<string>;

/** A program that prints the job. The URL is its last argument. */
function program(command: string, ...args: string[]): Client {
  return async (url) => {
    const env = { ...process.env, SSL_CERT_FILE: CA, NODE_EXTRA_CA_CERTS: CA };
    const child = spawn(command, [...args, url.href + PATH.slice(1)], { env });
    let said = "";
    child.stdout.on("data", (piece: Buffer) => (said += piece.toString()));
    let wrong = "";
    child.stderr.on("data", (piece: Buffer) => (wrong += piece.toString()));
    const [status] = (await once(child, "close")) as [number];
    assert.equal(status, 0, wrong);
    return said;
  };
}

/** A connection of our own, which `end` ends once the job has been read; what TLS is spoken through is given, too. */
function raw(end: (socket: Socket, under: Socket) => void, halfClosed = false): Client {
  return async ({ protocol, port }) => {
    const under = connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true });
    under.on("error", () => undefined);
    const options = { socket: under, ca: AUTHORITY, allowHalfOpen: true };
    const socket = protocol === "https:" ? connectTls(options) : under;
    socket.on("error", () => undefined);
    if (halfClosed) socket.end(POLL);
    else socket.write(POLL);
    let said = "";
    while (!said.endsWith("}")) said += String(((await once(socket, "data")) as [Buffer])[0]);
    end(socket, under);
    setTimeout(() => under.destroy(), LATER_MS);
    return said.slice(said.indexOf("\r\n\r\n") + 4);
  };
}

/** The client of `node:https`, on a connection of its own. */
const https: Client = async (url) => {
  const outgoing = request(new URL(PATH, url), { ca: AUTHORITY, agent: false }).end();
  const [response] = (await once(outgoing, "response")) as [AsyncIterable<Buffer>];
  let said = "";
  for await (const piece of response) said += piece.toString();
  return said;
};

const URLLIB = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())";
const FETCH = "fetch(process.argv[1]).then((r) => r.text()).then((t) => (console.log(t), process.exit()))";

const CLIENTS: Readonly<Record<string, Client>> = {
  curl: program("curl", "-sS", "--cacert", CA),
  "urllib of Python": program("python3", "-c", URLLIB),
  "fetch of Node": program(process.execPath, "-e", FETCH),
  "a client that closes": raw((socket) => socket.destroy()),
  "a client that ends": raw((socket) => socket.end()),
  "a client that resets": raw((_socket, under) => under.resetAndDestroy()),
  "a client that ends, and resets": raw((socket, under) => {
    socket.end(() => setImmediate(() => under.resetAndDestroy()));
  }),
  "a client that ends its side first, and resets": raw((_socket, under) => under.resetAndDestroy(), true),
};

/** Polls as long as there are jobs; every one that is given is executed, and answered. */
async function work(url: URL, client: Client, executed: string[]): Promise<void> {
  for (let round = 0; round < REQUESTS; round++) {
    const { id, originalRequest, attempts } = JSON.parse(await client(url)) as GivenJob;
    executed.push(String(originalRequest));
    assert.equal(attempts, 1);
    const init = { method: "POST", path: `/jobs/${id}`, agent: false, ca: AUTHORITY } as const;
    const status =
      url.protocol === "https:"
        ? await new Promise((resolve) =>
            request({ ...init, port: url.port }, (response) => resolve(response.statusCode)).end("done"),
          )
        : (await fetch(new URL(init.path, url), { method: "POST", body: "done" })).status;
    assert.equal(status, 200, "the answer counts");
  }
}

for (const scheme of ["http", "https"] as const)
  for (const [name, client] of Object.entries({ ...CLIENTS, ...(scheme === "https" ? { https } : {}) }))
    test(`${name}, over ${scheme}: no job is given out twice`, async () => {
      await using hub = await createHub({
        http: { host: "localhost", port: 0 },
        listen: [],
        ...(scheme === "https" ? { tls: pair("server") } : {}),
        jobs: { services: { a: {} } },
      });
      const asked = Array.from({ length: REQUESTS }, (_, n) => hub.request<string>("a", `n${n}`));
      const executed: string[] = [];
      await work(new URL(hub.httpUrl!), client, executed);
      assert.deepEqual(executed.toSorted(), ["n0", "n1", "n2"]);
      for (const one of asked) assert.equal(await one, "done");
      assert.equal(hub.stats().inFlight, 0);
    });

test("HAProxy that passes requests on: no job is given out twice", async () => {
  await using hub = await createHub({
    http: { port: 0 },
    listen: [],
    jobs: { services: { a: {} } },
  });
  const [port] = (await freePorts(1)) as [number];
  await using proxy = new Proxy("haproxy", [port], () => configuration(port, new URL(hub.httpUrl!).port));
  await proxy.start();
  const asked = Array.from({ length: REQUESTS }, (_, n) => hub.request<string>("a", `n${n}`));
  const executed: string[] = [];
  await work(new URL(`http://127.0.0.1:${port}`), CLIENTS["a client that resets"]!, executed);
  assert.deepEqual(executed.toSorted(), ["n0", "n1", "n2"]);
  for (const one of asked) assert.equal(await one, "done");
});

function configuration(port: number, target: string): string {
  return `
defaults
  mode http
  option abortonclose
  timeout connect 2s
  timeout client 10s
  timeout server 10s
listen jobs
  bind 127.0.0.1:${port}
  option http-server-close
  server hub 127.0.0.1:${target}
`;
}
