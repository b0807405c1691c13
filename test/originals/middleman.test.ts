/** The text gateway seen by middleman's clients: raw WebSockets in Python, whose tests cite every fact of the protocol. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { sha256Of } from "../../src/access/keys/key.ts";
import { createHub } from "../../src/hub/hub.ts";
import { pathOf } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { BrowserClient, type PageMessage } from "./browser-client.ts";
import { runTranscript } from "./transcript.ts";

/** The original's default keys. */
const keys = [
  { name: "service", role: "service", sha256: sha256Of("xyzzy") },
  { name: "client", role: "client", sha256: sha256Of("plugh") },
  { name: "super", role: "observer", sha256: sha256Of("jabberwocky") },
] as const;

test("middleman's transcript, on a port of its own", async (context) => {
  await using hub = await createHub({
    http: false,
    listen: [],
    access: { keys: [...keys] },
    text: { listen: "127.0.0.1:0" },
  });
  await runTranscript(context, "middleman_transcript.py", [hub.textUrl!], 32);
});

test("a page's client, a service in Python and workers of Lintel's own", async (context) => {
  await using hub = await createHub({
    http: false,
    listen: [],
    access: { keys: [...keys] },
    text: { listen: "127.0.0.1:0" },
  });
  const service = spawn(
    pathOf("python3-websockets"),
    ["-B", join(root, "test/originals/echo_service.py"), hub.textUrl!],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  context.after(() => service.kill("SIGKILL"));
  await once(service.stdout, "data");
  await using page = await BrowserClient.dial(hub.textUrl!, "plugh");

  for (const body of ["hello", "", "two\r\nlines", "ü🚀"])
    assert.equal((await page.request("Echo", "Echo", body)).body, body);
  const repeated = new Promise<PageMessage>((resolve) => page.sub("Repeated", resolve));
  page.pub("Echo", "Repeat", "again");
  const { body, headers } = await repeated;
  assert.deepEqual([body, headers["uid"]], ["again", ""]);

  // What a page asks for reaches a worker of the hub, and is refused until a service enables it.
  await hub.serve("Chat", (value, job) => `${String(value)} by ${job.headers.get("cmd")}`);
  const heard: unknown[] = [];
  await hub.subscribe("Chat", (value) => heard.push(value));
  page.pub("Chat", "Say", "unheard");
  void page.request("Chat", "Join", "refused");
  await page.request("Echo", "Echo", "a fence");
  assert.deepEqual([page.errors, heard], [["Not trusted PUB Chat", "Not trusted REQ Chat"], []]);
  await hub.enable("request", "Chat");
  assert.equal((await page.request("Chat", "Join", "tea")).body, "tea by Join");
});
