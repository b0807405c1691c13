/** Marked blocks of a document, run as the programs that they are: see `readme.test.ts`. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { root } from "../house/root.ts";
import { blocksOf, readDocument, type Block } from "./markdown.ts";

const PATIENCE_MS = 120_000;
export const EXAMPLE: RegExp = /^example: ([a-z0-9-]+)(, keeps running)?$/;

export interface Step {
  readonly name: string;
  readonly block: Block;
  readonly keepsRunning: boolean;
  /** What a program prints, undefined where the document does not show it. */
  readonly output: string | undefined;
}

export function stepsOf(document: string): Step[] {
  const blocks = blocksOf(readDocument(document));
  return blocks.flatMap((block, index) => {
    const match = EXAMPLE.exec(block.mark);
    if (match === null) return [];
    const next = blocks[index + 1];
    const output = next?.mark === "output" ? next.text : undefined;
    return [{ name: match[1]!, block, keepsRunning: match[2] !== undefined, output }];
  });
}

export interface ExamplesOptions {
  /** Where programs run. "lintel" must be this package there. */
  readonly folder: string;
  /** What stands in the document as it has to be here. */
  readonly localize: (text: string) => string;
}

/** The programs of a document that have been started. */
export class Examples {
  readonly #options: ExamplesOptions;
  readonly #running: ChildProcess[] = [];

  constructor(options: ExamplesOptions) {
    this.#options = options;
  }

  async play({ block, keepsRunning, output }: Step): Promise<void> {
    const text = this.#options
      .localize(block.text)
      .replaceAll("npx lintel", `"${process.execPath}" "${join(root, "dist/cli/main.js")}"`);
    const commands = block.language === "console" ? commandsOf(text) : [{ command: "", output }];
    for (const { command, output: expected } of commands) {
      const child = command === "" ? this.#program(text, block.language) : this.#shell(command);
      if (keepsRunning) await firstLine(child);
      else await completes(child, expected);
    }
  }

  /** Ends what keeps running. */
  async end(): Promise<void> {
    for (const child of this.#running) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, "exit");
      process.kill(-child.pid!, "SIGKILL");
      await exit;
    }
  }

  #program(text: string, language: string): ChildProcess {
    if (language === "python") return this.#start("python3", ["-c", text]);
    return this.#start(process.execPath, ["--input-type=module", "--eval", text]);
  }

  #shell(command: string): ChildProcess {
    return this.#start("/bin/sh", ["-c", command]);
  }

  /** In a process group, to be ended with it. */
  #start(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(program, args, {
      cwd: this.#options.folder,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.push(child);
    return child;
  }
}

/** The commands of a transcript, with what each prints. */
function commandsOf(text: string): { command: string; output: string }[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf("\n");
      if (end < 0) return { command: part, output: "" };
      return { command: part.slice(0, end), output: part.slice(end + 1) };
    });
}

/** Waits until a program that keeps running says that it is ready. */
async function firstLine(child: ChildProcess): Promise<void> {
  const said = gather(child);
  const ready = new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (/\n/.test(said.out + said.err)) resolve();
    };
    child.stdout!.on("data", look);
    child.stderr!.on("data", look);
    child.on("exit", (code) =>
      reject(new assert.AssertionError({ message: `ended with ${code}: ${said.err}` })),
    );
    AbortSignal.timeout(PATIENCE_MS).addEventListener("abort", () =>
      reject(new Error(`says nothing: ${said.err}`)),
    );
  });
  await ready;
}

async function completes(child: ChildProcess, expected: string | undefined): Promise<void> {
  const said = gather(child);
  const [code] = (await once(child, "close", { signal: AbortSignal.timeout(PATIENCE_MS) })) as [
    number | null,
  ];
  assert.equal(code, 0, said.err);
  if (expected !== undefined) assert.equal(said.out.trimEnd(), expected.trimEnd());
}

function gather(child: ChildProcess): { out: string; err: string } {
  const said = { out: "", err: "" };
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (said.out += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (said.err += text));
  return said;
}
