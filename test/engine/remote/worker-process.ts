/** A worker of the hub at the URL it is given, until it is killed: `stuck` never answers, `ready` does at once. */
import { connect } from "../../../src/peer/connect.ts";

const peer = await connect(process.argv[2]!);
await peer.serve("stuck", () => new Promise(() => undefined));
await peer.serve("ready", () => "ready");
process.send?.("serving");
