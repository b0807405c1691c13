/** A hub in a process of its own, to be killed. Tells its parent where it listens. */
import { createHub } from "../../src/hub/hub.ts";

const hub = await createHub({ http: false, listen: [process.argv[2]!] });
process.send?.(hub.urls[0]);
