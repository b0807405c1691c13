/**
 * Builds the package: empties dist, compiles src into it, bundles the client for pages, and makes the command
 * executable (npm does that only when it installs a package, not in a clone that is built again). Then compiles the example
 * in TypeScript against it.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleClient } from "./bundle-client.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = `${root}node_modules/typescript/bin/tsc`;
const command = `${root}dist/cli/main.js`;

/**
 * @param {string} project
 * @returns {boolean} whether it compiled
 */
function compiles(project) {
  const { status } = spawnSync(process.execPath, [compiler, "-p", project], { cwd: root, stdio: "inherit" });
  return status === 0;
}

rmSync(`${root}dist`, { recursive: true, force: true });
if (compiles("tsconfig.build.json")) {
  if (existsSync(command)) chmodSync(command, 0o755);
  await bundleClient(root);
  // Where the image of the hub is built there are no examples.
  if (existsSync(`${root}examples`) && !compiles("examples/up")) process.exitCode = 1;
} else process.exitCode = 1;
