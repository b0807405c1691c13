/** A server with the keys of an issuer, which a test can make fail. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import type { TestContext } from "node:test";

export interface Issuer {
  readonly url: string;
  /** A status, a body, or "hang". */
  answer: unknown;
  /** Requests since the start. */
  readonly asked: number;
  stop(): Promise<void>;
}

export async function issuer(context: TestContext, answer: unknown): Promise<Issuer> {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    const { answer: now } = state;
    if (now === "hang") return;
    if (typeof now === "number") response.writeHead(now, { location: "/elsewhere" }).end();
    else response.end(typeof now === "string" ? now : JSON.stringify(now));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const state = {
    url: `http://127.0.0.1:${port}/jwks.json`,
    answer,
    get asked(): number {
      return asked;
    },
    async stop(): Promise<void> {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  context.after(() => state.stop());
  return state;
}
