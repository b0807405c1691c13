// @ts-check
// A gateway of your own: each line over TCP, such as `greet {"name":"Ada"}`, is a request, and its answer is a line.
import { once } from "node:events";
import { createServer } from "node:net";
import { LintelError, requestBytes } from "lintel/gateway";

/** @type {import("lintel/gateway").GatewayKind<{ port?: number }>} */
export default {
  name: "lines",
  async open({ admission, limits, onError }, { port = 0 }) {
    const sockets = new Set();
    const running = new Set();
    let requests = 0;
    let isDraining = false;
    const serve = async (/** @type {import("node:net").Socket} */ socket) => {
      const gone = new AbortController();
      sockets.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket) && gone.abort());
      const remote = `tcp://${socket.remoteAddress}:${socket.remotePort}`;
      const { engine, principal } = await admission.admit({ gateway: "lines", remote });
      const caller = { signal: gone.signal, origin: { gateway: "lines", remote, principal } };
      let rest = "";
      for await (const chunk of socket.setEncoding("utf8")) {
        const lines = `${rest}${chunk}`.split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > 65_536) return; // nobody writes such a line
        for (const line of lines) {
          if (isDraining) return void socket.write("! DRAINING\n");
          const [, subject = "", body = ""] = /^(\S*) ?(.*?)\r?$/.exec(line) ?? [];
          requests += 1;
          const answer = requestBytes(engine, { ...caller, subject, body, timeoutMs: limits.timeout }).then(
            (got) => socket.write(`${Buffer.from(got.body).toString().replaceAll("\n", " ")}\n`),
            (why) => socket.write(`! ${why instanceof LintelError ? why.reason : "INTERNAL"}\n`),
          );
          running.add(answer);
          await answer.finally(() => running.delete(answer)); // what follows waits, and is not read
        }
      }
    };
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const served = serve(socket).catch((error) => socket.destroyed || onError(error, "a line gateway"));
      void served.then(() => socket.destroySoon());
    });
    await once(server.listen(port, "127.0.0.1"), "listening");
    return {
      name: "lines",
      urls: [`lines://127.0.0.1:${Object(server.address()).port}`],
      stats: () => ({ connections: sockets.size, requests }),
      async drain() {
        isDraining = true;
        server.close();
        await Promise.all(running);
      },
      async close() {
        server.close();
        for (const socket of sockets) socket.destroySoon();
      },
    };
  },
};
