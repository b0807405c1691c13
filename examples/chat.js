// @ts-check
// A chat room over channels, on a hub inside this process: node examples/chat.js
import { createHub } from "lintel";

const hub = await createHub({ http: false, listen: [] });

/** @type {Set<import("lintel").Channel>} */
const room = new Set();

await hub.serve("chat", async (/** @type {{ name: string }} */ { name }, context) => {
  const channel = context.accept();
  room.add(channel);
  await tell(`${name} is here`);
  try {
    for await (const text of channel) await tell(`${name}: ${String(text)}`);
  } finally {
    room.delete(channel);
    await tell(`${name} has left`);
  }
});

/** @param {string} line */
async function tell(line) {
  await Promise.all([...room].map((channel) => channel.send(line)));
}

/** @param {string} name @param {readonly string[]} lines */
async function guest(name, lines) {
  const channel = await hub.open("chat", { name });
  for (const line of lines) await channel.send(line);
  return channel;
}

const ada = await guest("Ada", []);
const bob = await guest("Bob", ["hello", "bye"]);
bob.close();
for await (const line of ada) {
  console.log(line);
  if (line === "Bob has left") break;
}
await hub.close();
