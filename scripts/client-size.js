/**
 * Prints what pages load of the client, minified and compressed, and fails when a file is larger than the guide for
 * browsers says.
 */
import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

const guide = readFileSync(new URL("../docs/guides/browser.md", import.meta.url), "utf8");
const folder = new URL("../dist/browser/", import.meta.url);

for (const name of readdirSync(folder)) {
  const bytes = readFileSync(new URL(name, folder));
  const size = gzipSync(bytes, { level: 9 }).length;
  const bound = new RegExp(`^\\| \`${name}\` \\| ([\\d,]+) \\|`, "m").exec(guide)?.[1]?.replaceAll(",", "");
  const isSmall = size <= Number(bound ?? 0);
  console.log(
    `${name}: ${bytes.length} bytes minified, ${size} with gzip, at most ${bound ?? "not said"}: ${isSmall ? "ok" : "TOO LARGE"}`,
  );
  if (!isSmall) process.exitCode = 1;
}
