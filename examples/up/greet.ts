// A service for `lintel up`, in TypeScript: `connect` without a URL takes the one of LINTEL_HUB.
import { connect } from "lintel";

interface Visitor {
  readonly name?: string;
}

const instance = process.env["LINTEL_INSTANCE"]?.split("/").at(-1);
const peer = await connect();

await peer.serve("greet", (visitor: Visitor | undefined) => {
  const name = visitor?.name ?? "world";
  console.log(`greeting ${name}`);
  return { hello: name, from: instance };
});

// lintel up ends a service with SIGTERM: finish what is in hand, then end.
process.once("SIGTERM", () => void peer.drain());
