/** The client in interop/python at a hub that asks for credentials. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
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

    for token in (None, "bad"):
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
      ["good", "good", "bad", undefined, "bad"],
    );
  } finally {
    await hub.close();
  }
});
