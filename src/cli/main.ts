#!/usr/bin/env node
import { run } from "./program.ts";

// Whoever read the output has left: no failure of what a command does, and hubs and workers go on without it.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

process.exitCode = await run(process.argv.slice(2));
