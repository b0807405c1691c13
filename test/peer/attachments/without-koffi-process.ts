/** Attaches a file where koffi is not installed. Prints what came of it. */
import { openSync } from "node:fs";
import { Module } from "node:module";
import type { Readable } from "node:stream";
import { attachment, connect, createHub, type Attachment, type LintelError } from "../../../src/index.ts";
import { socketPair } from "../../../src/transport/descriptors/endpoints.ts";

const loader = Module as unknown as { _resolveFilename: (request: string, ...rest: unknown[]) => string };
// oxlint-disable no-underscore-dangle -- its name in Node
const resolve = loader._resolveFilename;
loader._resolveFilename = (request, ...rest) => {
  if (request === "koffi")
    throw Object.assign(new Error("Cannot find module 'koffi'"), { code: "MODULE_NOT_FOUND" });
  return resolve(request, ...rest);
};
// oxlint-enable no-underscore-dangle

const [, , path, file] = process.argv;
const hub = await createHub({ http: false, listen: [`unix://${path}`] });
const peer = await connect(hub.urls[0]!);
await hub.serve("read", async ({ item }: { item: Attachment }) => {
  let text = "";
  for await (const chunk of await item.take<Readable>()) text += String(chunk);
  return text;
});
const lenient = await peer.request("read", {
  item: attachment(openSync(file!, "r"), { fallback: "stream" }),
});
const strict = await peer
  .request("read", { item: attachment(openSync(file!, "r")) })
  .catch((error: LintelError) => error.reason);
let primitive = "";
try {
  socketPair();
} catch (error) {
  primitive = (error as Error).message;
}
console.log(JSON.stringify({ lenient, strict, primitive }));
await peer.close();
await hub.close();
