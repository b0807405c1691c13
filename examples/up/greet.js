// @ts-check
// A service for `lintel up`: `connect` without a URL takes the one of LINTEL_HUB.
import { connect } from "lintel";

const { LINTEL_INSTANCE = "" } = process.env;
const name = LINTEL_INSTANCE.split("/").at(-1);
const peer = await connect();

await peer.serve("greet", (/** @type {{ name?: string } | undefined} */ value) => {
  console.log(`greeting ${value?.name ?? "world"}`);
  return { hello: value?.name ?? "world", from: name };
});

// lintel up ends a service with SIGTERM: finish what is in hand, then end.
process.once("SIGTERM", () => peer.drain());
