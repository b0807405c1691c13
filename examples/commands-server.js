// @ts-check
// A server of commands over WebSocket and TCP, in the protocol of DRS. Try it, for example, with
//   node examples/commands-server.js --tcp 127.0.0.1:12001
//   printf '{"key":"1","action":"echo","body":"hi"}' | nc -N 127.0.0.1 12001
import process from "node:process";
import { parseArgs } from "node:util";
import { CommandError, createCommandServer } from "lintel/commands";

const USAGE = `usage: node examples/commands-server.js [--ws HOST:PORT] [--tcp HOST:PORT] [--insecure]

  --ws HOST:PORT    WebSockets at /socket, and the counts at /stats
  --tcp HOST:PORT   JSON objects over TCP, one after the other
  --insecure        lets addresses be used that other machines can reach
  --help            prints this

Port 0 takes a free port. Without addresses: --ws 127.0.0.1:12000 --tcp 127.0.0.1:12001

actions: drs.ping drs.kaboom echo fail crash slow back cast chain`;

const { values } = parseArgs({
  options: {
    ws: { type: "string" },
    tcp: { type: "string" },
    insecure: { type: "boolean" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const server = createCommandServer({ insecure: values.insecure ?? false });

server.on("echo", ({ body }) => body);

// A failure that callers have to expect: they get a drs.error with this message.
server.on("fail", () => {
  throw new CommandError("nope");
});

// A bug: callers get a drs.exception, and the message goes to stderr only.
server.on("crash", () => {
  throw new Error("this handler always crashes");
});

server.on("slow", () => new Promise(() => {}));

// Both ends are equal: this handler calls the client that has called it.
server.on("back", ({ body, connection }) => connection.call("client.ask", body));

server.on("cast", ({ body }) => {
  server.broadcast("news", body);
});

// Three handlers, one after the other, that share the command's context.
server.on(
  "chain",
  ({ context }) => {
    context.text = "a";
  },
  async ({ context }) => {
    context.text = `${context.text}b`;
  },
  ({ context }) => `${context.text}c`,
);

const { ws, tcp } = values;
const addresses = (ws ?? tcp) ? values : { ws: "127.0.0.1:12000", tcp: "127.0.0.1:12001" };
try {
  const urls = await server.listen(addresses);
  for (const [name, url] of Object.entries(urls)) console.log(`${name} ${url}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => void server.close({ timeout: "1s" }));
}
