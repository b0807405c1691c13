/**
 * Bundles the clients for pages that have no bundler of their own: browser/client.js, and msgpack.js beside it, which
 * is loaded when a page asks for that codec; browser/commands.js and browser/text.js. Other people's code keeps its licence.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const LIBRARY = "@msgpack/msgpack";

/**
 * @param {string} root the folder of the package
 * @param {string} compiled the folder in it that has what was compiled, and gets the bundles
 */
export async function bundleClient(root, compiled) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const library = dirname(createRequire(import.meta.url).resolve(`${LIBRARY}/package.json`));
  const options = /** @type {const} */ ({
    absWorkingDir: root,
    outdir: `${compiled}/browser`,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
  });
  const banner = { js: `/* ${name} ${version}, ${license} licence */` };
  await build({
    ...options,
    entryPoints: { client: `${compiled}/client/browser.js` },
    alias: { [LIBRARY]: "./msgpack.js" },
    external: ["./msgpack.js"],
    banner,
  });
  for (const client of ["commands", "text"])
    await build({ ...options, entryPoints: { [client]: `${compiled}/${client}/browser.js` }, banner });
  await build({
    ...options,
    entryPoints: { msgpack: LIBRARY },
    banner: { js: `/* ${LIBRARY}\n\n${readFileSync(join(library, "LICENSE"), "utf8")}*/` },
  });
}
