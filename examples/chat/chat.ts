// The rooms of the chat: a service of the text protocol. Pages may not publish to a room themselves; they ask this service
// to say something, which puts the name on it that Auth has given to their connection.
import { connectText, LintelError, type ReceivedText } from "lintel/text";

const MAX_ROOMS = 1_000;
const MAX_TEXT = 2_000;
/** What somebody who joins gets to read. */
const KEPT_LINES = 50;

interface Line {
  /** One more than that of the line before, in all rooms. */
  readonly id: number;
  readonly from: string;
  readonly text: string;
  readonly at: number;
}

const rooms = new Map<string, Line[]>();
let lastId = 0;
const [, , url = "ws://127.0.0.1:8764"] = process.argv;
const hub = await connectText(url, { key: process.env["LINTEL_KEY"] ?? "anonymous" });

hub.serve("Chat", (message) => {
  const { headers, uid } = message;
  const command = headers.get("cmd");
  if (command === "Ping") return "";
  if (uid === "") throw new LintelError("unauthenticated", "sign in first");
  switch (command) {
    case "Join":
      return join(message.body);
    case "Say":
      return say(message);
    default:
      throw new LintelError("unimplemented", "Chat has the commands Join, Say and Ping");
  }
});
await hub.request("Chat", "", { headers: { cmd: "Ping" } }); // by then it is registered
console.log("Chat serves");

// lintel up ends a service with SIGTERM.
process.once("SIGTERM", () => hub.close());

/** Where the room's lines are published, and the last of them. From then on clients may subscribe there. */
function join(room: string): string {
  if (!/^[\p{L}\p{N} _-]{1,40}$/u.test(room))
    throw new LintelError("invalid_argument", "the name of a room has 1 to 40 letters, digits and spaces");
  if (!rooms.has(room)) {
    if (rooms.size >= MAX_ROOMS) throw new LintelError("resource_exhausted", "there are too many rooms");
    rooms.set(room, []);
    hub.enableSubscribe(targetOf(room));
  }
  return JSON.stringify({ target: targetOf(room), lines: rooms.get(room) });
}

function say({ headers, uid, body }: ReceivedText): string {
  const room = headers.get("room") ?? "";
  const lines = rooms.get(room);
  if (lines === undefined) throw new LintelError("not_found", "there is no such room");
  if (body === "" || body.length > MAX_TEXT)
    throw new LintelError("invalid_argument", `a line has 1 to ${MAX_TEXT} characters`);
  const line: Line = { id: ++lastId, from: uid, text: body, at: Date.now() };
  lines.push(line);
  if (lines.length > KEPT_LINES) lines.shift();
  hub.publish(targetOf(room), JSON.stringify(line), { "content-type": "application/json" });
  return "";
}

/** A target may be any text. */
function targetOf(room: string): string {
  return `Room: ${room}`;
}
