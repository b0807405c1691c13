/** What answers HTTP in W3, except Lintel's own gateways. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { HTTP_ANSWER } from "./answer.ts";
import type { OpenHub } from "./candidate.ts";
import { openNatsCaller, type NatsSetting } from "./nats.ts";

const JSON_TYPE = "application/json";

/** `node:http` with a constant: the least that Node can do, and the base of W3. */
export async function openBareHttp(): Promise<OpenHub> {
  const text = JSON.stringify(HTTP_ANSWER);
  return await listen((_request, response) => {
    response.writeHead(200, { "content-type": JSON_TYPE, "content-length": Buffer.byteLength(text) });
    response.end(text);
  });
}

/** `node:http` in front of nats-server, with the official client: what people write without a hub. */
export async function openNatsEdge(natsAddress: string, setting: NatsSetting): Promise<OpenHub> {
  const caller = await openNatsCaller(natsAddress, setting);
  const server = await listen((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      void caller.request(Buffer.concat(parts)).then((message) => {
        response.writeHead(200, { "content-type": JSON_TYPE, "content-length": message.data.length });
        response.end(message.data);
      });
    });
  });
  return {
    address: server.address,
    close: async () => {
      await server.close();
      await caller.close();
    },
  };
}

async function listen(handle: RequestListener): Promise<OpenHub> {
  const server = createServer(handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the HTTP server has no port");
  return {
    address: `http://127.0.0.1:${bound.port}/bench/echo`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
