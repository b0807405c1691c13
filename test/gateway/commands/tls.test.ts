/** Commands with certificates, and in a server that is there already. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";
import { createHub } from "../../../src/hub/hub.ts";
import type { Credentials } from "../../../src/access/access.ts";
import { TestAccess } from "../../../src/testing/test-access.ts";
import { AUTHORITY, pair } from "../../transport/certificates.ts";
import { RawClient } from "./raw-client.ts";
import { Scene } from "./harness.ts";

const LISTEN = ["wss://127.0.0.1:0", "tls://127.0.0.1:0"];
const PING = '{"key":"1","action":"drs.ping"}';

/** The serial number of the certificate at a URL, and the first bytes of the answer to a ping. */
async function overTls(url: string, options: object = {}): Promise<{ serial: string; text: string }> {
  const { port } = new URL(url.replace("tls:", "https:"));
  const socket = connectTls({
    port: Number(port),
    host: "127.0.0.1",
    ca: AUTHORITY,
    servername: "localhost",
    ...options,
  });
  await once(socket, "secureConnect");
  socket.write(PING);
  const [data] = (await once(socket, "data")) as [Buffer];
  const serial = socket.getPeerCertificate().serialNumber;
  socket.destroy();
  return { serial, text: data.toString() };
}

test("ports of wss and tls use the hub's certificates, and take others while they listen", async () => {
  await using scene = await Scene.open({ listen: LISTEN }, { tls: pair("server") });
  const [wss, tls] = scene.hub.commandsUrls as [string, string];
  assert.match(wss, /^wss:\/\/127\.0\.0\.1:\d+\/socket$/);
  const socket = new WebSocket(wss.replace("127.0.0.1", "localhost"), { ca: AUTHORITY });
  await once(socket, "open");
  socket.send(PING);
  const [data] = (await once(socket, "message")) as [Buffer];
  assert.match(data.toString(), /"key":"1","action":"drs\.response"/);
  socket.terminate();
  const { serial, text } = await overTls(tls);
  assert.match(text, /drs\.response/);
  scene.hub.reloadTls(tls, pair("renewed"));
  assert.notEqual((await overTls(tls)).serial, serial);
});

test("a client certificate is shown as a credential", async () => {
  const access = new TestAccess({ allows: () => true });
  const tls = { ...pair("server"), ca: AUTHORITY };
  await using scene = await Scene.open({ listen: LISTEN, tls }, { access });
  await overTls(scene.hub.commandsUrls[1]!, pair("client"));
  const [credentials] = access.credentials as [Credentials];
  assert.equal(credentials.gateway, "commands");
  assert.ok(credentials.certificate?.subject.includes("CN="), "it has the certificate");
});

test("without certificates wss and tls do not open, and nothing stays open", async () => {
  for (const listen of LISTEN)
    await assert.rejects(
      createHub({ http: false, listen: [], commands: { listen: ["ws://127.0.0.1:0", listen] } }),
      /needs tls\.cert and tls\.key/,
    );
  await assert.rejects(
    createHub({ http: false, listen: [], commands: "tcp://0.0.0.0:0" }),
    ({ reason }: { reason: string }) => reason === "INSECURE_LISTEN",
  );
});

test("in front of a server that is there already, below the path of the handler", async () => {
  await using scene = await Scene.open({ listen: [] });
  const handler = await scene.hub.handler({ path: "/api" });
  const server = createServer((request, response) => handler.request(request, response));
  server.on("upgrade", (request, socket, head) => handler.upgrade(request, socket, head));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await using client = await RawClient.open(`ws://127.0.0.1:${port}/api/socket`);
  assert.equal((await client.call("drs.ping")).action, "drs.response");
  client.leave();
  server.closeAllConnections();
  server.close();
});

test("web pages of other hosts may connect only where they are listed", async () => {
  const origins = ["https://app.example.com"];
  await using scene = await Scene.open({ listen: "ws://127.0.0.1:0", origins }, { http: 0 });
  const [own = "", onPort = ""] = scene.hub.commandsUrls;
  const opens = async (url: string, origin: string): Promise<boolean> => {
    const socket = new WebSocket(url, { origin });
    const isOpen = await Promise.race([
      once(socket, "open").then(() => true),
      once(socket, "unexpected-response").then(() => false),
    ]);
    socket.on("error", () => undefined);
    socket.terminate();
    return isOpen;
  };
  assert.equal(await opens(own, "https://app.example.com"), true);
  assert.equal(await opens(own, "https://evil.example.com"), false);
  assert.equal(await opens(onPort, "https://app.example.com"), false);
  const stats = own.replace("ws:", "http:").replace("/socket", "/stats");
  assert.equal((await fetch(stats, { headers: { origin: "https://evil.example.com" } })).status, 403);
});

test("sessions: false keeps commands off the HTTP port, too", async () => {
  await using scene = await Scene.open({ listen: [] }, { http: { listen: 0, sessions: false } });
  assert.deepEqual(scene.hub.commandsUrls, []);
});
