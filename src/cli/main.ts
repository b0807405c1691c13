#!/usr/bin/env node
import { run } from "./program.ts";
import { dropUnread } from "./unread-output.ts";

// If the reader of the output has left, the command does not fail; hubs and workers continue without it.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
dropUnread(process.stderr, (lines) => `lintel: ${lines} lines were dropped here: nobody read them\n`);

process.exitCode = await run(process.argv.slice(2));
