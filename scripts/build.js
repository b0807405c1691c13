/**
 * Builds the package: empties dist, compiles src into it, bundles the client for pages, and makes the command
 * executable (npm does that only when it installs a package, not in a clone that is built again).
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleClient } from "./bundle-client.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = `${root}node_modules/typescript/bin/tsc`;
const command = `${root}dist/cli/main.js`;

rmSync(`${root}dist`, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
if (status === 0) {
  if (existsSync(command)) chmodSync(command, 0o755);
  await bundleClient(root);
}
process.exitCode = status ?? 1;
