/**
 * Builds the package: compiles src, bundles the client for pages, makes the command executable (npm does that only when
 * it installs a package, not in a clone that is built again), and puts the result in the place of dist. Then compiles the
 * examples in TypeScript against it.
 *
 * Programs may run from dist meanwhile: the first `npx lintel` in a clone builds it once more.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleClient } from "./bundle-client.js";
import { replaceFolder } from "./replace-folder.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = `${root}node_modules/typescript/bin/tsc`;
const fresh = `dist-${process.pid}`; // beside dist: source maps lead from there to src

/**
 * @param {string} project
 * @param {string[]} options
 * @returns {boolean} whether it compiled
 */
function compiles(project, ...options) {
  const args = [compiler, "-p", project, ...options];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  return status === 0;
}

/** @returns {Promise<boolean>} whether there is a new dist */
async function buildDist() {
  try {
    if (!compiles("tsconfig.build.json", "--outDir", fresh)) return false;
    chmodSync(`${root}${fresh}/cli/main.js`, 0o755);
    await bundleClient(root, fresh);
    replaceFolder(`${root}dist`, `${root}${fresh}`);
    return true;
  } finally {
    rmSync(`${root}${fresh}`, { recursive: true, force: true });
  }
}

if (await buildDist()) {
  // Where the image of the hub is built there are no examples.
  const examples = existsSync(`${root}examples`) ? ["examples/up", "examples/chat"] : [];
  for (const example of examples) if (!compiles(example)) process.exitCode = 1;
} else process.exitCode = 1;
