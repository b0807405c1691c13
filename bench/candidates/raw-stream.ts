/** What plain sockets of Node can do with a stream: from one process to another, and through one that pipes. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { StreamSource } from "../load/streams.ts";
import type { Open, OpenHub } from "./candidate.ts";

type SocketTransport = "unix" | "tcp";

async function listening(
  server: Server,
  transport: SocketTransport,
  directory: string,
  name: string,
): Promise<OpenHub> {
  const path = join(directory, name);
  if (transport === "unix") server.listen(path);
  else server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  const address = bound === null || typeof bound === "string" ? path : String(bound.port);
  return { address, close: () => void server.close() };
}

function dial(address: string): Socket {
  const options = { allowHalfOpen: true, noDelay: true };
  const isPort = /^\d+$/.test(address);
  return connect(
    isPort ? { ...options, port: Number(address), host: "127.0.0.1" } : { ...options, path: address },
  );
}

/** Counts what each connection sends, and says how much it was at its end. */
export async function openRawSink(transport: SocketTransport, directory: string): Promise<OpenHub> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    let counted = 0;
    socket.on("data", (chunk: Buffer) => (counted += chunk.length));
    socket.on("end", () => socket.end(String(counted)));
    socket.on("error", () => socket.destroy());
  });
  return await listening(server, transport, directory, "sink.sock");
}

/** Pipes each connection into one of its own to the sink. */
export async function openRawRelay(
  transport: SocketTransport,
  directory: string,
  sink: string,
): Promise<OpenHub> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const onward = dial(sink);
    for (const one of [socket, onward]) one.on("error", () => one.destroy());
    socket.pipe(onward).pipe(socket);
  });
  return await listening(server, transport, directory, "relay.sock");
}

/** A connection for each stream. */
export function openRawSource(address: string): StreamSource & Open {
  return {
    close: () => undefined,
    send: async (next) => {
      const socket = dial(address);
      let answer = "";
      socket.setEncoding("latin1").on("data", (part: string) => (answer += part));
      const write = (): void => {
        for (let chunk = next(); chunk !== undefined; chunk = next()) if (!socket.write(chunk)) return;
        socket.off("drain", write).end();
      };
      socket.on("drain", write).once("connect", write);
      await once(socket, "end");
      return Number(answer);
    },
  };
}
