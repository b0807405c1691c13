/**
 * The marked blocks of README.md and of the guides are programs. Each document runs against a hub of its own:
 * first what keeps running, then block by block:
 *
 * - a js block with `<!-- example: NAME -->` before it is run to its end;
 * - a console block with such a mark is a transcript: lines that begin with `$ ` are commands, the others
 *   what they print;
 * - `<!-- example: NAME, keeps running -->` is started and left running until the document's end;
 * - a block with `<!-- output -->` before it is what the last js block prints.
 *
 * The addresses a hub listens on by default stand for those of the document's hub.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { before, test } from "node:test";
import { createHub, type Hub } from "../../src/index.ts";
import { provide } from "../house/provide.ts";
import { root } from "../house/root.ts";
import { blocksOf, readDocument, type Block } from "./markdown.ts";

const DOCUMENTS = [
  "README.md",
  "docs/guides/getting-started.md",
  "docs/guides/api.md",
  "docs/guides/access.md",
  "docs/guides/streams.md",
  "docs/guides/attachments.md",
  "docs/guides/embedding.md",
  "docs/guides/web-apps.md",
  "docs/guides/testing.md",
];
const PATIENCE_MS = 120_000;
const FREE_PORTS = 'createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] })';
const EXAMPLE = /^example: ([a-z0-9-]+)(, keeps running)?$/;

interface Step {
  readonly name: string;
  readonly block: Block;
  readonly keepsRunning: boolean;
  /** What a program prints, undefined where the document does not show it. */
  readonly output: string | undefined;
}

function stepsOf(document: string): Step[] {
  const blocks = blocksOf(readDocument(document));
  return blocks.flatMap((block, index) => {
    const match = EXAMPLE.exec(block.mark);
    if (match === null) return [];
    const next = blocks[index + 1];
    const output = next?.mark === "output" ? next.text : undefined;
    return [{ name: match[1]!, block, keepsRunning: match[2] !== undefined, output }];
  });
}

/** A document's hub and the programs it has started. */
class Harness {
  readonly #hub: Hub;
  readonly #running: ChildProcess[] = [];

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  async play({ block, keepsRunning, output }: Step): Promise<void> {
    const text = this.#localized(block.text);
    const commands = block.language === "console" ? commandsOf(text) : [{ command: "", output }];
    for (const { command, output: expected } of commands) {
      const child = command === "" ? this.#program(text) : this.#shell(command);
      if (keepsRunning) await firstLine(child);
      else await completes(child, expected);
    }
  }

  /** Ends what keeps running, the hub last. */
  async end(): Promise<void> {
    for (const child of this.#running) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, "exit");
      process.kill(-child.pid!, "SIGKILL");
      await exit;
    }
    await this.#hub.close();
  }

  #localized(text: string): string {
    return text
      .replaceAll("http://127.0.0.1:8500", this.#hub.httpUrl!)
      .replaceAll("tcp://127.0.0.1:4500", this.#hub.urls[0]!)
      .replaceAll("createHub()", FREE_PORTS)
      .replaceAll("npx lintel", `"${process.execPath}" "${join(root, "dist/cli/main.js")}"`);
  }

  #program(text: string): ChildProcess {
    return this.#start(process.execPath, ["--input-type=module", "--eval", text]);
  }

  #shell(command: string): ChildProcess {
    return this.#start("/bin/sh", ["-c", command]);
  }

  /** In the checkout, so that "lintel" is this package; in a process group, to be ended with it. */
  #start(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(program, args, { cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"] });
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

before(() => provide("curl"));

for (const document of DOCUMENTS) {
  test(document, async (t) => {
    const steps = stepsOf(document).toSorted((a, b) => Number(b.keepsRunning) - Number(a.keepsRunning));
    assert.ok(steps.length > 0, "no block is marked as an example");
    const hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"] });
    const harness = new Harness(hub);
    try {
      for (const step of steps)
        await t.test(`${step.name} (line ${step.block.line})`, () => harness.play(step));
    } finally {
      await harness.end();
    }
  });
}

test("every block of code in these documents is an example, or names its language otherwise", () => {
  for (const document of DOCUMENTS) {
    for (const { language, mark, line } of blocksOf(readDocument(document))) {
      if (language === "js" || language === "console")
        assert.match(mark, EXAMPLE, `${document}:${line} is not run`);
    }
  }
});
