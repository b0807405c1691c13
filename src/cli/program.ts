/** The command line as a whole, and what an outcome means for the shell. */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { COMMANDS } from "./commands.ts";
import { Exit, printFailure } from "./failure.ts";

const EXAMPLES = `
Try it, in three terminals:
  lintel serve
  lintel work greet -- jq -c '{hello: .name}'
  curl -d '{"name":"Ada"}' http://127.0.0.1:8500/greet

Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 cannot connect or listen, 124 deadline passed,
130 or 143 ended by a signal.`;

/** Runs one command line and resolves with the exit code. Errors are printed, not thrown. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: "user" });
    return Exit.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.ok : Exit.usage;
    return printFailure(error);
  }
}

/** Loads only the named command; of the others it knows the name and the summary. */
async function createProgram(args: readonly string[]): Promise<Command> {
  const program = settle(new Command("lintel"))
    .description("A hub between HTTP clients and services that open no port.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help; also after a command")
    .enablePositionalOptions()
    .addHelpText("after", EXAMPLES);
  const words = args.filter((arg) => !arg.startsWith("-"));
  const wanted = words[0] === "help" ? words[1] : words[0];
  for (const { name, summary, load } of COMMANDS) {
    const command = settle(program.command(name)).summary(summary).helpOption("-h, --help", "print help");
    if (name === wanted) await (await load()).define(command);
  }
  return program;
}

/** Errors are thrown instead of ending the process, look like all others, and say where help is. */
function settle(command: Command): Command {
  const path = command.name() === "lintel" ? "lintel" : `lintel ${command.name()}`;
  return command
    .exitOverride()
    .showHelpAfterError(`\`${path} --help\` tells more.`)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "lintel: USAGE: ")) });
}

/** The package's own manifest, wherever this file was compiled to. */
function version(): string {
  const manifest: unknown = createRequire(import.meta.url)("lintel/package.json");
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}
