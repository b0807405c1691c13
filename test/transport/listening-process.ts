/** Listens on the socket path it is given until it is killed. */
import { createServer } from "node:net";

createServer().listen(process.argv[2], () => process.send?.("listening"));
