/** Commands seen by clients of DRS: raw WebSockets and sockets in Python, whose tests cite every fact of the protocol. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { sha256Of } from "../../src/access/keys/key.ts";
import { createHub, type Hub } from "../../src/hub/hub.ts";
import { LintelError } from "../../src/message/failure.ts";
import { root } from "../house/root.ts";
import { runTranscript } from "./transcript.ts";

interface Urls {
  readonly ws: string;
  readonly tcp: string;
  readonly stats: string;
}

/** The example, as a process that ends with the test. */
async function startExample(context: TestContext): Promise<Urls> {
  const argv = [join(root, "examples/commands-server.js"), "--ws", "127.0.0.1:0", "--tcp", "127.0.0.1:0"];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "ignore"] });
  context.after(() => child.kill("SIGKILL"));
  const urls: Record<string, string> = {};
  for await (const line of createInterface(child.stdout)) {
    const [name = "", url = ""] = line.split(" ");
    urls[name] = url;
    if (urls["ws"] !== undefined && urls["tcp"] !== undefined && urls["stats"] !== undefined) break;
  }
  return urls as unknown as Urls; // the loop above ends with all three
}

const onExample = { ws: 22, tcp: 22 } as const;

test("DRS's transcript, with the example server", async (context) => {
  const urls = await startExample(context);
  for (const [line, least] of Object.entries(onExample))
    await context.test(`over ${line}`, (inner) =>
      runTranscript(inner, "drs_transcript.py", [urls[line as "ws" | "tcp"], urls.stats], least),
    );
});

async function startHub(): Promise<Hub> {
  const hub = await createHub({
    http: 0,
    listen: [],
    onError: () => undefined, // of the handler that crashes
    access: {
      keys: [
        { name: "admin", role: "admin", sha256: sha256Of("admin") },
        { name: "worker", role: "service", sha256: sha256Of("worker") },
        {
          name: "page",
          role: "client",
          sha256: sha256Of("page"),
          grants: { request: ["echo", "fail", "crash", "back", "client.exact"] },
        },
      ],
    },
    commands: {
      listen: ["ws://127.0.0.1:0", "tcp://127.0.0.1:0"],
      serve: ["client.>"],
      broadcast: ["news.>"],
    },
  });
  const secrets: unknown[] = [];
  await hub.serve("echo", (value) => value);
  await hub.serve("fail", () => {
    throw new LintelError("failed_precondition", "nope");
  });
  await hub.serve("crash", () => {
    throw new Error("a bug");
  });
  await hub.serve("back", (value) => hub.request("client.ask", value));
  await hub.serve("secret", (value) => [...secrets.splice(0), value]);
  await hub.serve("tell", async (value) => {
    await hub.publish("news.tea", value);
    return null;
  });
  return hub;
}

test("DRS's transcript, with a hub and its workers", async (context) => {
  await using hub = await startHub();
  const stats = `${hub.httpUrl}/stats`;
  for (const line of ["ws", "tcp"]) {
    const url = hub.commandsUrls.find(
      (one) => one.startsWith(`${line}:`) && !one.includes(hub.httpUrl!.slice(7)),
    );
    await context.test(`over ${line}`, (inner) =>
      runTranscript(inner, "drs_gateway_transcript.py", [url!, stats], 14),
    );
  }
});
