/**
 * Builds the package: empties dist, compiles src into it, makes the command executable, and links it
 * into node_modules/.bin, so that `npx lintel` works in a clone as it does where the package is installed.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync, symlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = `${root}node_modules/typescript/bin/tsc`;
const command = `${root}dist/cli/main.js`;
const bin = `${root}node_modules/.bin`;

rmSync(`${root}dist`, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
if (status === 0 && existsSync(command)) {
  chmodSync(command, 0o755);
  // npm links only the commands of dependencies; Windows has no executable links.
  if (process.platform !== "win32" && existsSync(bin)) {
    rmSync(`${bin}/lintel`, { force: true });
    symlinkSync("../../dist/cli/main.js", `${bin}/lintel`);
  }
}
