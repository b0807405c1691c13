// @ts-check
// A page whose script answers requests, and the hub in the server it comes from: `node examples/browser.js`, then open
// what it prints. `node examples/browser.js 8600` takes another port; 0 stands for any that is free.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createHub } from "lintel";

const [port = "8580"] = process.argv.slice(2);

/** What the page is made of. The client is one file, so a page needs no bundler. */
const FILES = new Map([
  ["/", { type: "text/html", file: new URL("page/index.html", import.meta.url) }],
  ["/page.js", { type: "text/javascript", file: new URL("page/page.js", import.meta.url) }],
  ["/lintel/client.js", { type: "text/javascript", file: import.meta.resolve("lintel/browser/client.js") }],
]);

const server = createServer(async (request, response) => {
  const found = FILES.get(request.url ?? "/");
  if (found === undefined) response.writeHead(404).end();
  else response.writeHead(200, { "content-type": found.type }).end(await readFile(new URL(found.file)));
});

const hub = await createHub({ http: false, listen: [] });
await hub.attach(server, { path: "/hub" }); // only pages of this server may connect
await once(server.listen(Number(port), "127.0.0.1"), "listening");
const at = `127.0.0.1:${Object(server.address()).port}`;

console.log(`Open http://${at}/ in a browser; then, in a terminal:

  curl -d '{"color":"teal"}' http://${at}/hub/paint
  npx lintel publish words.first 'hello tab' --hub ws://${at}/hub/.lintel/session

Ctrl-C ends it.`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await hub.drain();
    server.close();
    server.closeAllConnections();
  });
}
