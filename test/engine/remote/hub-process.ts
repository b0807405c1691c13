/** A hub on the URL it is given, until it is killed. Says where it listens. */
import { createHub } from "../../../src/hub/hub.ts";

const hub = await createHub({ http: false, listen: [process.argv[2]!] });
process.send?.(hub.urls[0]);
