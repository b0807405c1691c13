/** HTTP load by wrk, which costs less than any client written in JavaScript and so leaves the cores to the candidates. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProcessTree } from "../process.ts";
import { findTool } from "../tools.ts";
import type { HttpLoad, Load, Sample } from "./sample.ts";

const POST_BYTES = 256;
const GRACE_MS = 15_000;

/** A measurement of one URL. Fails when an answer was not 200 or a connection broke. */
export function measureByWrk(
  tree: ProcessTree,
  url: string,
): (load: Load, seconds: number) => Promise<Sample> {
  const script = join(tree.directory(), "post.lua");
  // A JSON text of exactly POST_BYTES, so that a gateway that looks into bodies finds a valid one.
  const body = `"${"a".repeat(POST_BYTES - 2)}"`;
  writeFileSync(
    script,
    `wrk.method = "POST"\nwrk.body = '${body}'\nwrk.headers["content-type"] = "application/json"\n`,
  );
  return async (load, seconds) => {
    if (load.kind !== "http") throw new Error(`wrk takes an HTTP load, not ${load.kind}`);
    return await runWrk(
      tree,
      url,
      load,
      load.method === "POST" ? ["-s", script] : [],
      Math.max(1, Math.round(seconds)),
    );
  };
}

async function runWrk(
  tree: ProcessTree,
  url: string,
  load: HttpLoad,
  extra: string[],
  seconds: number,
): Promise<Sample> {
  const wrk = findTool("wrk");
  if (wrk === undefined) throw new Error("wrk is not on PATH");
  const argv = ["-t1", `-c${load.connections}`, `-d${seconds}s`, ...extra, url];
  const text = await tree.run(wrk, argv, seconds * 1_000 + GRACE_MS);
  const failed = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(text)?.[0];
  if (failed !== undefined) throw new Error(failed);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  if (!(rate > 0)) throw new Error("wrk reported no rate");
  return { rate };
}
