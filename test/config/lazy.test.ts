/** What reads configurations is loaded only by those who read one. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { root } from "../house/root.ts";

const PROGRAM = `
  import { register } from "node:module";
  import { createRequire } from "node:module";
  const loaded = [];
  const { port1, port2 } = new MessageChannel();
  port1.on("message", (url) => loaded.push(url));
  port1.unref();
  register("data:text/javascript," + encodeURIComponent(\`
    let port;
    export const initialize = (data) => { port = data.port; };
    export const load = async (url, context, next) => { port.postMessage(url); return next(url, context); };
  \`), { data: { port: port2 }, transferList: [port2] });
  const { createHub } = await import("lintel");
  const hub = await createHub({ http: { listen: 0 }, listen: ["tcp://127.0.0.1:0"] });
  await hub.close();
  await new Promise((resolve) => setImmediate(resolve));
  process.stdout.write(JSON.stringify(loaded));
`;

test("a hub that is started by a program loads neither zod nor yaml nor the schemas", () => {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    cwd: root,
    encoding: "utf8",
  });
  const loaded = JSON.parse(stdout || "[]") as string[];
  assert.ok(
    loaded.some((url) => url.endsWith("/hub/hub.js")),
    `${loaded.length} ${stderr}`,
  );
  const unwanted = loaded.filter((url) => /node_modules\/(?:zod|yaml)\/|\/config\.js$|\/schema\//.test(url));
  assert.deepEqual(unwanted, []);
});
