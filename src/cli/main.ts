#!/usr/bin/env node
import { run } from "./program.ts";
import { dropUnread } from "./unread-output.ts";

// Whoever read the output has left: no failure of what a command does, and hubs and workers go on without it.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
dropUnread(process.stderr, (lines) => `lintel: ${lines} lines were dropped here: nobody read them\n`);

process.exitCode = await run(process.argv.slice(2));
