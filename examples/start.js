// @ts-check
// What `npm start` runs: a hub, and next to it a worker in a process of its own.
// `npm start -- 8600 4600` takes other ports; 0 stands for any that is free.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createHub } from "lintel";

const [httpPort = "8500", hubPort = "4500"] = process.argv.slice(2);
const WORKER = fileURLToPath(new URL("greet-worker.js", import.meta.url));
const RESTART_MS = 1000;

const hub = await createHub({ http: false, listen: [`tcp://127.0.0.1:${hubPort}`] }).catch(giveUp);
console.log(`[hub] listening on ${hub.urls.join(", ")} for workers`);

let ending = false;
let worker = startWorker();
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, end);
process.on("exit", () => worker.kill());

/** HTTP opens when there is somebody to answer: the first request must not come too early. */
async function openHttp() {
  if (hub.httpUrl !== undefined || ending) return;
  await hub.openHttp({ host: "127.0.0.1", port: Number(httpPort), onRequest: logRequest }).catch(giveUp);
  console.log(`[hub] listening on ${hub.httpUrl} for HTTP`);
  console.log(
    "[hub] every program of this machine may do everything; other machines and foreign web pages, nothing (docs/guides/access.md)",
  );
  console.log(`
Try it in another terminal:

  curl -d '{"name":"Ada"}' ${hub.httpUrl}/greet

Ctrl-C ends both.
`);
}

/** @param {{ method: string, path: string, status: number, ms: number }} record */
function logRequest({ method, path, status, ms }) {
  console.log(`[hub] ${method} ${path} ${status} in ${ms.toFixed(1)} ms`);
}

function startWorker() {
  const child = fork(WORKER, [...hub.urls]);
  console.log(`[hub] the worker is process ${child.pid}`);
  child.once("message", openHttp);
  child.once("exit", (code, signal) => {
    if (ending) return;
    console.log(`[hub] the worker ended (${signal ?? code}); starting another one`);
    setTimeout(() => {
      if (!ending) worker = startWorker();
    }, RESTART_MS);
  });
  return child;
}

async function end() {
  if (ending) return; // npm passes on a Ctrl-C that the terminal has sent already
  ending = true;
  console.log("[hub] finishing what is under way");
  await hub.drain();
  worker.kill();
}

/** @param {Error & { code?: string, address?: string, port?: number }} error @returns {never} */
function giveUp(error) {
  if (error.code !== "EADDRINUSE") throw error;
  console.error(
    `[hub] ${error.address}:${error.port} is taken: does a hub run already? Another program may listen there.`,
  );
  console.error("[hub] end that program, or take other ports: npm start -- 8600 4600");
  process.exit(1);
}
