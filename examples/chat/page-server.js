// @ts-check
// Serves the page of the chat, and tells it where the hub is.
//
//   node page-server.js HOST:PORT URL      for example 127.0.0.1:8080 ws://127.0.0.1:8764
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const [, , at = "127.0.0.1:8080", hub = "ws://127.0.0.1:8764"] = process.argv;
const [, host = "127.0.0.1", port = "8080"] = /^(.*):(\d+)$/.exec(at) ?? [];

/** @type {Readonly<Record<string, readonly [file: string, type: string]>>} */
const files = {
  "/": [here("page/index.html"), "text/html"],
  "/chat.js": [here("page/chat.js"), "text/javascript"],
  "/chat.css": [here("page/chat.css"), "text/css"],
  "/lintel/text.js": [fileURLToPath(import.meta.resolve("lintel/browser/text.js")), "text/javascript"],
};
const policy = `default-src 'self'; connect-src 'self' ${hub}; script-src 'self' 'unsafe-inline'; img-src data:`;

const server = createServer((request, response) => {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  if (path === "/hub.json") {
    response
      .setHeader("content-type", "application/json")
      .end(JSON.stringify({ url: hub, key: "chat-page" }));
    return;
  }
  const [file, type] = files[path] ?? [];
  if (file === undefined || type === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader("content-type", `${type}; charset=utf-8`);
  response.setHeader("content-security-policy", policy);
  readFile(file).then(
    (bytes) => response.end(bytes),
    () => response.writeHead(500).end(),
  );
});
server.listen(Number(port), host, () => {
  const address = server.address();
  const real = typeof address === "object" && address !== null ? address.port : port;
  console.log(`the chat is at http://${host}:${real}`);
});

/** @param {string} path */
function here(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
