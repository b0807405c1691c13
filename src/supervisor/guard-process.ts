/** The program of a `Guard`: ends the processes of the run that its argument names, once its stdin has ended. */
import { endRun } from "./runtime-directory.ts";

const [, , run = ""] = process.argv;
process.stdin.resume();
process.stdin.once("end", () => {
  if (/^[0-9a-f]+$/.test(run)) void endRun(run);
});
