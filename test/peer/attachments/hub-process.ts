/** A hub on the unix socket it is given, until it is killed. */
import { createHub } from "../../../src/index.ts";

await createHub({ http: false, listen: [`unix://${process.argv[2]}`] });
console.log("listening");
