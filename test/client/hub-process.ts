/** A hub in a process of its own, to be killed; its configuration comes as JSON. Tells its parent where it listens. */
import { createHub, type HubConfig } from "../../src/hub/hub.ts";

const hub = await createHub(JSON.parse(process.argv[2]!) as HubConfig);
process.send?.({ http: hub.httpUrl, session: hub.sessionUrl });
