/** Servers of commands on free ports, closed when the tests of a file are over. */
import { after } from "node:test";
import type { CommandServerOptions } from "../../src/commands/server/options.ts";
import { createCommandServer, type CommandServer } from "../../src/commands/server/server.ts";

export interface Serving {
  readonly server: CommandServer;
  readonly ws: string;
  readonly tcp: string;
  /** Empty where there is none. */
  readonly stats: string;
}

const servers: CommandServer[] = [];
after(() => Promise.all(servers.map((server) => server.close({ timeout: 0 }))));

export function startServer(options: CommandServerOptions = {}): CommandServer {
  const server = createCommandServer({ onError: () => undefined, ...options });
  servers.push(server);
  return server;
}

export async function serve(options: CommandServerOptions = {}): Promise<Serving> {
  const server = startServer(options);
  const { ws = "", tcp = "", stats = "" } = await server.listen({ ws: 0, tcp: 0 });
  return { server, ws, tcp, stats };
}
