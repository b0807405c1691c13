/** A service that enables its subjects for clients: `node enabling-process.js URL`, its key in TEST_KEY. */
import { connect } from "../../src/peer/connect.ts";

const peer = await connect(process.argv[2]!, { token: process.env["TEST_KEY"]! });
await peer.serve("chat.say", (text) => `said ${String(text)}`);
await peer.enable("request", "chat.*");
await peer.enable("subscribe", "news.>");
process.send!("ready");
