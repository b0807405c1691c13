// @ts-check
// The health check of the image: is there a hub that greets a new session? Neither routes nor workers have a part in it.
// It asks the hub of LINTEL_HUB, which in a worker's container is the worker's, else the one in this container.
import { connect } from "lintel";

try {
  const peer = await connect({ name: "health check", timeoutMs: 2_000 });
  await peer.close();
} catch (error) {
  // A hub that wants a key has greeted, too.
  if (/** @type {{ code?: string }} */ (error).code !== "unauthenticated") {
    console.error(String(error));
    process.exitCode = 1; // all that a health check may say
  }
}
