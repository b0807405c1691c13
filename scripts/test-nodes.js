/**
 * Runs the tests on other versions of Node, each fetched from the npm registry when first asked for
 * and kept in node_modules/.cache.
 *
 *   npm run test:nodes              Node 20, 22 and 24
 *   npm run test:nodes -- 22 24     these
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const asked = process.argv.slice(2);
const versions = asked.length > 0 ? asked : ["20", "22", "24"];
const npm = process.platform === "win32" ? "npm.cmd" : "npm";

/**
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean} whether the program exited with 0
 */
function succeeds(program, args, env = process.env) {
  return spawnSync(program, args, { cwd: root, stdio: "inherit", env }).status === 0;
}

/**
 * @param {string} version a major version such as "22"
 * @returns {string} the folder that holds this Node's executable
 */
function nodeFolder(version) {
  const folder = join(root, "node_modules", ".cache", `node-${version}`);
  const bin = join(folder, "node_modules", "node-runtime", "bin");
  if (existsSync(join(bin, "node"))) return bin;
  const name = `node-${process.platform}-${process.arch}@${version}`;
  console.log(`fetching ${name} from the npm registry`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const args = [
    "install",
    "--prefix",
    folder,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
  ];
  if (!succeeds(npm, [...args, `node-runtime@npm:${name}`])) {
    throw new Error(`could not fetch ${name}`);
  }
  return bin;
}

if (!succeeds(npm, ["run", "build:all"])) process.exit(1);
const failed = versions.filter((version) => {
  console.log(`\nNode ${version}`);
  const bin = nodeFolder(version);
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"]}` };
  return !succeeds(join(bin, "node"), ["--enable-source-maps", "scripts/test.js"], env);
});
console.log(
  failed.length === 0 ? `\npassed on Node ${versions.join(", ")}` : `\nfailed on Node ${failed.join(", ")}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
