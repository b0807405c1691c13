/** A worker that takes what is attached: writes into sockets, reads files. It goes on until it is killed. */
import type { Socket } from "node:net";
import { attachment, connect, type Attachment, type OpenFile } from "../../../src/index.ts";

const peer = await connect(process.argv[2]!);

await peer.serve("receive", async ({ item, say }: { item: Attachment; say: string }) => {
  if (item.kind === "socket") {
    const socket = await item.take<Socket>();
    socket.on("error", () => undefined); // whoever holds its other end may leave
    socket.end(say);
    return process.pid;
  }
  let content = "";
  for await (const chunk of (await item.take<OpenFile>()).createReadStream()) content += String(chunk);
  return content;
});
// What is given to it and what it gives: the same file, or socket, goes back untouched.
await peer.serve("return", ({ item }: { item: Attachment }) => ({ item }));
await peer.serve("reattach", async ({ item }: { item: Attachment }) => ({
  item: attachment(await item.take<Socket>()),
}));
// Takes nothing, says so, and answers.
await peer.serve("ignore", ({ item }: { item: Attachment }) => {
  item.discard();
  return "ignored";
});
console.log("serving");
