/** HTTP/2 peers that mean harm: they are cut off or refused, and the sessions of others do not notice. */
import assert from "node:assert/strict";
import { connect as connectHttp2, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import type { Peer } from "../../src/peer/peer.ts";
import { ByteEnd } from "../../src/testing/byte-end.ts";
import { SESSION_PATH } from "../../src/transport/session-protocol.ts";
import { TransportRegistry } from "../../src/transport/registry.ts";
import { createHttp2Transport, h2c } from "../../src/transport/http2/transport.ts";
import {
  END_HEADERS,
  RawHttp2,
  Type,
  h2Frame,
  headerBlock,
  numberBytes,
  openingHeaders,
} from "./raw-http2.ts";

const RESET = numberBytes(8);
const MEBIBYTE = 1_048_576;

let hub: Hub;
let good: Peer;
let port: number;

let opened = 0;

before(async () => {
  const transports = new TransportRegistry();
  transports.add(createHttp2Transport({ encrypted: false, idleMs: 250 }));
  hub = await createHub({
    http: false,
    listen: ["h2c://127.0.0.1:0/lintel"],
    transports,
    onSession: (event) => {
      if (event === "opened") opened++;
    },
  });
  good = await connect(hub.urls[0]!);
  await good.serve("echo", (value: unknown) => value);
  port = Number(new URL(hub.urls[0]!).port);
});

after(async () => {
  await good.close();
  await hub.close();
});

/** The other session works, the hub holds nothing of the attacker's, and memory has not grown by much. */
async function harmed(attack: () => Promise<void>): Promise<void> {
  const memory = process.memoryUsage().rss;
  const working = Promise.all(Array.from({ length: 50 }, (_, n) => good.request("echo", n)));
  await attack();
  assert.deepEqual(
    await working,
    Array.from({ length: 50 }, (_, n) => n),
  );
  assert.equal(await good.request("echo", "still here"), "still here");
  while (hub.stats().sessions > 1) await new Promise((resolve) => setImmediate(resolve));
  const grown = process.memoryUsage().rss - memory;
  assert.ok(grown < 64 * MEBIBYTE, `memory grew by ${Math.round(grown / MEBIBYTE)} MiB`);
}

describe("HTTP/2 floods", () => {
  test("streams that are opened and reset at once: the connection is cut off", async () => {
    await harmed(async () => {
      const raw = new RawHttp2(port);
      const block = headerBlock(openingHeaders());
      opened = 0;
      for (let stream = 1; stream < 40_000 && !raw.isOver; stream += 2) {
        raw.send(h2Frame(Type.headers, END_HEADERS, stream, block), h2Frame(Type.reset, 0, stream, RESET));
        if (stream % 500 === 1) await new Promise((resolve) => setImmediate(resolve));
      }
      await raw.over();
      assert.ok(opened < 3_000, `${opened} of 20,000 came through`);
    });
  });

  test("settings and pings whose acknowledgements are not read: the connection is cut off", async () => {
    for (const frame of [h2Frame(Type.settings, 0, 0), h2Frame(Type.ping, 0, 0, Buffer.alloc(8))]) {
      await harmed(async () => {
        const raw = new RawHttp2(port, true);
        await raw.flood(Buffer.concat(Array.from({ length: 10_000 }, () => frame)), 1_000);
        raw.socket.resume();
        await raw.over();
      });
    }
  });

  test("a header block without an end: the connection is cut off", async () => {
    await harmed(async () => {
      const raw = new RawHttp2(port);
      raw.send(h2Frame(Type.headers, 0, 1, headerBlock(openingHeaders())));
      const more = headerBlock(Array.from({ length: 100 }, (_, n) => [`x-${n}`, "y".repeat(100)] as const));
      await raw.flood(h2Frame(Type.continuation, 0, 1, more), 10_000);
      await raw.over();
    });
  });

  test("more header fields than a session needs: no session", async () => {
    await harmed(async () => {
      const raw = new RawHttp2(port);
      const many = Array.from({ length: 80 }, (_, n) => [`x-${n}`, "y"] as const);
      raw.send(h2Frame(Type.headers, END_HEADERS, 1, headerBlock([...openingHeaders(), ...many])));
      await raw.until(
        () => raw.isOver || raw.frames.some(({ type, stream }) => type === Type.reset && stream === 1),
      );
      raw.socket.destroy();
    });
  });

  test("a window past its maximum: the connection is cut off", async () => {
    await harmed(async () => {
      const raw = new RawHttp2(port);
      const widest = h2Frame(Type.windowUpdate, 0, 0, numberBytes(0x7fff_ffff));
      raw.send(widest, widest);
      await raw.over();
    });
  });

  test("more streams than are allowed: the connection is cut off", async () => {
    await harmed(async () => {
      const raw = new RawHttp2(port);
      const block = headerBlock(openingHeaders());
      await raw.until(() => raw.frames.some(({ type, flags }) => type === Type.settings && flags === 0));
      raw.send(h2Frame(Type.settings, 1, 0)); // from here on our limit is known
      for (let n = 0; n < 160; n++) raw.send(h2Frame(Type.headers, END_HEADERS, 2 * n + 1, block));
      await raw.over();
    });
  });

  test("what is no HTTP/2 at all is cut off", async () => {
    await harmed(async () => {
      const raw = new RawHttp2(port);
      raw.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000));
      await raw.over();
    });
  });
});

describe("streams that are no sessions", () => {
  const ask = async (
    to: string,
    headers: OutgoingHttpHeaders,
  ): Promise<{ status: number; reason: string }> => {
    const client = connectHttp2(`http://127.0.0.1:${new URL(to).port}`);
    const stream = client.request({ ":method": "POST", "content-type": "application/lintel.v1", ...headers });
    stream.end();
    const [response] = (await once(stream, "response")) as [IncomingHttpHeaders & { ":status": number }];
    let body = "";
    for await (const chunk of stream.setEncoding("utf8")) body += String(chunk);
    client.close();
    assert.equal(response["content-type"], "application/problem+json");
    return { status: response[":status"], reason: (JSON.parse(body) as { reason: string }).reason };
  };

  test("are answered with problems", async () => {
    const to = hub.urls[0]!;
    const path = "/lintel";
    assert.deepEqual(await ask(to, { ":path": "/" }), { status: 404, reason: "NOT_FOUND" });
    assert.deepEqual(await ask(to, { ":path": path, ":method": "GET" }), {
      status: 405,
      reason: "METHOD_NOT_ALLOWED",
    });
    assert.deepEqual(await ask(to, { ":path": path, "content-type": "text/plain" }), {
      status: 415,
      reason: "BAD_REQUEST",
    });
    for (const origin of [
      "https://evil.example",
      "null",
      "http://localhost.evil.example",
      "file://127.0.0.1",
    ]) {
      assert.deepEqual(await ask(to, { ":path": path, origin }), {
        status: 403,
        reason: "FOREIGN_ORIGIN",
      });
    }
  });

  test("a page of the same host is let in; a list of origins replaces that rule", async () => {
    const statuses: number[] = [];
    const accepted: ByteEnd[] = [];
    for (const options of [{}, { origins: ["https://app.example"] }]) {
      const listener = await h2c.listen(
        "h2c://127.0.0.1:0",
        (connection) => void accepted.push(new ByteEnd(connection)),
        options,
      );
      const { origin } = new URL(listener.url.replace("h2c", "http"));
      const client = connectHttp2(origin);
      for (const one of [origin, "https://app.example"]) {
        const stream = client.request({
          ":method": "POST",
          ":path": SESSION_PATH,
          "content-type": "application/lintel.v1",
          origin: one,
        });
        const [response] = (await once(stream, "response")) as [IncomingHttpHeaders & { ":status": number }];
        statuses.push(response[":status"]);
      }
      client.destroy();
      await listener.close();
    }
    assert.deepEqual(statuses, [200, 403, 403, 200]);
    await Promise.all(accepted.map((end) => end.over()));
    for (const { error } of accepted) assert.ok(error instanceof Error, "that is no orderly end");
  });

  test("past the bound of connections the answer is 503", async () => {
    const transport = createHttp2Transport({ encrypted: false, maxConnections: 2 });
    const listener = await transport.listen(
      "h2c://127.0.0.1:0",
      (connection) => void new ByteEnd(connection),
    );
    const client = connectHttp2(new URL(listener.url.replace("h2c", "http")).origin);
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) {
      const stream = client.request({
        ":method": "POST",
        ":path": SESSION_PATH,
        "content-type": "application/lintel.v1",
      });
      const [response] = (await once(stream, "response")) as [IncomingHttpHeaders & { ":status": number }];
      statuses.push(response[":status"]);
    }
    assert.deepEqual(statuses, [200, 200, 503]);
    client.destroy();
    await listener.close();
  });
});
