/** The client in interop/python at a hub that asks for credentials. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { createHub } from "../../src/hub/hub.ts";
import { TestAccess } from "../../src/testing/test-access.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";

before(() => provide("python3"));

const PROGRAM = `
import asyncio, sys
from lintel import LintelError, connect

async def main(url):
    peer = await connect(url, token="good")
    print(await peer.request("greet", "Ada"))
    try:
        await peer.serve("forbidden", lambda value, job: value)
    except LintelError as error:
        print(error.code)
    await peer.close()

    tokens, states = ["good", "bad"], []
    peer = await connect(url, token=lambda: tokens.pop(0), on_state=lambda state, error: states.append(state))
    subscription = await peer.subscribe("news")
    await peer.request("revoke")
    try:
        async for _ in subscription:
            pass
    except LintelError as error:
        print(error.code, states[-1])
    try:
        await peer.request("greet", "Ada")
    except LintelError as error:
        print(error.code)
    await peer.close()

    for token in (None, "worse"):
        try:
            await connect(url, token=token)
        except LintelError as error:
            print(error.code)

asyncio.run(main(sys.argv[1]))
`;

test("P-140, P-143: it shows its token, and does not dial again when that is refused", async () => {
  const access = new TestAccess({ tokens: ["good"], allows: (verb) => verb !== "serve" });
  const hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], access });
  await hub.serve<string>("greet", (name) => `Hello ${name}`);
  await hub.serve("revoke", () => {
    setImmediate(() => access.revoke("good"));
    return "";
  });
  try {
    const { stdout } = await promisify(execFile)("python3", ["-c", PROGRAM, hub.urls[0]!], {
      cwd: `${root}/interop/python`,
      timeout: 20_000,
    });
    assert.deepEqual(stdout.trim().split("\n"), [
      "Hello Ada",
      "permission_denied",
      "unauthenticated closed",
      "unauthenticated",
      "unauthenticated",
      "unauthenticated",
    ]);
    assert.deepEqual(
      access.credentials.map(({ token }) => token),
      ["good", "good", "bad", undefined, "worse"],
    );
  } finally {
    await hub.close();
  }
});

const ENABLING = `
import asyncio, sys
from lintel import LintelError, connect

async def outcome(awaitable):
    try:
        return await awaitable
    except LintelError as error:
        return error.reason

async def main(url):
    states = []
    service = await connect(url, token="service", on_state=lambda state, error: states.append(state))
    client = await connect(url, token="client")
    await service.serve("greet", lambda name, job: f"Hello {name}")
    print(await outcome(client.request("greet", "Ada")))
    request = await service.enable("request", "greet")
    print(await client.request("greet", "Ada"))
    print(await outcome(client.enable("request", "greet")))
    print(await outcome(service.enable("request", "a..b")))

    subscribe = await service.enable("subscribe", "news.>")
    news = await client.subscribe("news.*")
    await service.publish("news.a", 1)
    print((await news.__anext__()).value)
    await subscribe.close()
    print(await outcome(news.__anext__()))

    service.session.transport.abort()
    while states[-2:] != ["connecting", "connected"]:
        await asyncio.sleep(0.01)
    while await outcome(client.request("greet", "Bob")) != "Hello Bob":
        await asyncio.sleep(0.01)
    await request.close()
    print(await outcome(client.request("greet", "Ada")))
    await asyncio.gather(service.close(), client.close())

asyncio.run(main(sys.argv[1]))
`;

test("P-147, P-153: it enables subjects for clients, and again after a reconnect", async () => {
  const key = (name: "service" | "client") => ({
    name,
    role: name,
    sha256: createHash("sha256").update(name).digest("hex"),
  });
  const access = { keys: [key("service"), key("client")] };
  const hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"], access });
  try {
    const { stdout } = await promisify(execFile)("python3", ["-c", ENABLING, hub.urls[0]!], {
      cwd: `${root}/interop/python`,
      timeout: 20_000,
    });
    assert.deepEqual(stdout.trim().split("\n"), [
      "PERMISSION_DENIED",
      "Hello Ada",
      "PERMISSION_DENIED",
      "BAD_SUBJECT",
      "1",
      "PERMISSION_DENIED",
      "PERMISSION_DENIED",
    ]);
  } finally {
    await hub.close();
  }
});

const AT_AN_OLDER_HUB = `
import asyncio
from lintel import LintelError, connect

async def main():
    async def hello(reader, writer):
        head = b"max-payload:1048576\\nmax-headers:32768\\n"
        size = len(head).to_bytes(4, "little") + bytes([2, 0]) + len(head).to_bytes(2, "little")
        writer.write(size + (1).to_bytes(4, "little") + bytes(4) + head)
        await reader.read()
        writer.close()
    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    peer = await connect(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        await peer.enable("request", "greet")
    except LintelError as error:
        print(error.code, error.reason, peer.session.ended)
    await peer.close()

asyncio.run(main())
`;

test("P-146: it enables nothing at a hub that does not take it, and its session goes on", async () => {
  const { stdout } = await promisify(execFile)("python3", ["-c", AT_AN_OLDER_HUB], {
    cwd: `${root}/interop/python`,
    timeout: 20_000,
  });
  assert.equal(stdout.trim(), "unimplemented ENABLE_UNSUPPORTED None");
});
