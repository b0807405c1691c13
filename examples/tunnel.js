// @ts-check
// A database through a hub: nobody but the machine it runs on can reach it, and no port is opened there.
// `node examples/tunnel.js 127.0.0.1:5432` leads a free port of this machine to a PostgreSQL at that address.
import { connect, createHub } from "lintel";
import { exposeTcp, tunnelTcp } from "lintel/tunnel";

const [host = "127.0.0.1", port = "5432"] = (process.argv[2] ?? "").split(":").filter(Boolean);

// In earnest these are three processes, on three machines: the hub, ...
const hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
const [url = ""] = hub.urls;

// ... one beside the database, which dials the hub and serves a subject with one target, ...
const beside = await connect(url, { name: "beside the database" });
const exposure = await exposeTcp(beside, "db.main", { host, port: Number(port) }, { maxConnections: 20 });
console.log(`[exposure] ${exposure.subject} is ${host}:${port}`);

// ... and one where the clients are.
const desk = await connect(url, { name: "a desk" });
const tunnel = await tunnelTcp(desk, { subject: "db.main", port: 0 });
console.log(`[tunnel] try it: psql -h 127.0.0.1 -p ${tunnel.port} -U postgres -c 'select version()'`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await tunnel.close();
    await exposure.close();
    await Promise.all([desk.close(), beside.close()]);
    await hub.close();
  });
}
