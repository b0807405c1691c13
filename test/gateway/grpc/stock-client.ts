/** A Python process with a stock gRPC client, told what to do, and heard, by lines of JSON. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findProgram, pathOf } from "../../house/provide.ts";
import { root } from "../../house/root.ts";
import { PATIENCE_MS } from "../../house/until.ts";

/** What is waited for comes within this, or never. */

/** A FromHub message in the JSON form of protobuf: `{ job: { job: 7, ... } }`. */
export type Heard = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface Ended {
  /** Name of the status: `OK`, `UNAVAILABLE`. */
  readonly code: string;
  readonly reason: string | undefined;
  readonly details: string;
}

interface Line {
  readonly on: number;
  readonly heard?: Heard;
  readonly ended?: string;
  readonly details?: string;
  readonly trailers?: Readonly<Record<string, string>>;
}

/** The Python that has a gRPC client, and a folder with what protoc makes of our .proto for it. */
export function stockPython(): { readonly python: string; readonly generated: string } {
  const generated = mkdtempSync(join(tmpdir(), "lintel-grpc-"));
  const plugin = findProgram("grpc_python_plugin") ?? pathOf("grpc_python_plugin");
  const protoc = findProgram("protoc") ?? pathOf("protoc");
  const { status, stderr } = spawnSync(
    protoc,
    [
      `--plugin=protoc-gen-grpc_python=${plugin}`,
      ...["-I", join(root, "spec"), `--python_out=${generated}`, `--grpc_python_out=${generated}`],
      "lintel/v1/worker.proto",
    ],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(stderr);
  return { python: pathOf("python3-grpcio"), generated };
}

export class StockClient implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #generated: string;
  readonly #calls: StockCall[] = [];

  constructor() {
    const { python, generated } = stockPython();
    this.#generated = generated;
    this.child = spawn(python, [`${root}/test/gateway/grpc/stock_client.py`, generated]);
    this.child.stdin.on("error", () => undefined); // it was killed
    this.child.stderr.pipe(process.stderr);
    createInterface(this.child.stdout).on("line", (text) => {
      const line = JSON.parse(text) as Line;
      this.#calls[line.on]?.hear(line);
    });
  }

  /** Begins a call, on a connection of its own. `echo`: it answers its jobs itself. */
  call(url: string, { echo = false, certificate }: { echo?: boolean; certificate?: string } = {}): StockCall {
    const on = this.#calls.length;
    const call = new StockCall((command) => this.#say({ on, ...command }));
    this.#calls.push(call);
    this.#say({ on, do: "call", target: new URL(url).host, echo, certificate });
    return call;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGKILL");
      await once(this.child, "exit");
    }
    rmSync(this.#generated, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #say(command: Readonly<Record<string, unknown>>): void {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
  }
}

/** One call of `lintel.v1.Worker/Work`. */
export class StockCall {
  readonly #say: (command: Readonly<Record<string, unknown>>) => void;
  /** Heard, and not taken yet. */
  readonly #heard: Heard[] = [];
  #ended: Ended | undefined;
  #check: () => void = () => undefined;

  constructor(say: (command: Readonly<Record<string, unknown>>) => void) {
    this.#say = say;
  }

  /** Sends FromWorker messages. */
  send(...messages: Readonly<Record<string, unknown>>[]): void {
    this.#say({ do: "send", messages });
  }

  /** Registers, and resolves when the hub has said so. */
  async register(subject: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
    this.send({ register: { subject, ...more } });
    await this.hears("registered");
  }

  does(what: "finish" | "cancel" | "deaf" | "hear"): void {
    this.#say({ do: what });
  }

  /** The next message, which must be of this kind. */
  async hears(kind: string): Promise<Readonly<Record<string, unknown>>> {
    await this.#until(() => this.#heard.length > 0 || this.#ended !== undefined, kind);
    const message = this.#heard.shift();
    const value = message?.[kind];
    if (value === undefined) throw new Error(`not ${kind}: ${JSON.stringify(message ?? this.#ended)}`);
    return value;
  }

  /** The next message, a job. */
  async job(): Promise<Readonly<Record<string, unknown>> & { readonly job: number }> {
    return { job: 0, ...(await this.hears("job")) };
  }

  /** Messages that were heard and not taken. */
  get waiting(): readonly Heard[] {
    return this.#heard;
  }

  /** How the call ended. */
  async ended(): Promise<Ended> {
    await this.#until(() => this.#ended !== undefined, "the end");
    return this.#ended!;
  }

  hear({ heard, ended, details = "", trailers = {} }: Line): void {
    if (heard !== undefined) this.#heard.push(heard);
    if (ended !== undefined) this.#ended = { code: ended, reason: trailers["lintel-reason"], details };
    this.#check();
  }

  #until(holds: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`in vain: ${what}; ${JSON.stringify(this.#heard)}`));
      const timer = setTimeout(late, PATIENCE_MS);
      this.#check = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#check = () => undefined;
        resolve();
      };
      this.#check();
    });
  }
}
