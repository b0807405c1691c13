/** A Python process that speaks beam as the original does, told what to do by lines of JSON. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { root } from "../../house/root.ts";
import { PATIENCE_MS } from "../../house/until.ts";

/** What is waited for comes within this, or never. */

interface Said {
  readonly n: number;
  readonly id?: number | null;
  readonly message?: string[];
  readonly end?: boolean;
  readonly error?: string;
  readonly size?: number;
  readonly sum?: number;
  readonly text?: string;
}

/** What an original peer's program says of an attachment: R wants answers, W wants to send more input. */
export type Mode = "R" | "W" | "RW";

export class OriginalPeer implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (said: Said) => void>();
  #last = 0;

  constructor() {
    this.child = spawn("python3", [`${root}/test/gateway/beam/original_peer.py`]);
    this.child.stdin.on("error", () => undefined); // it was killed
    this.child.stderr.pipe(process.stderr);
    createInterface(this.child.stdout).on("line", (line) => {
      const said = JSON.parse(line) as Said;
      this.#waiting.get(said.n)?.(said);
      this.#waiting.delete(said.n);
    });
  }

  /** Has it do something; resolves with what came of it. */
  async does(command: Readonly<Record<string, unknown>>): Promise<Said> {
    const n = ++this.#last;
    this.child.stdin.write(`${JSON.stringify({ n, ...command })}\n`);
    let timer: ReturnType<typeof setTimeout> | undefined;
    return new Promise<Said>((resolve, reject) => {
      const late = (): void => reject(new Error(`${JSON.stringify(command)} has not ended`));
      timer = setTimeout(late, PATIENCE_MS).unref(); // it may be killed before, and says nothing then
      this.#waiting.set(n, resolve);
    }).finally(() => clearTimeout(timer));
  }

  async connect(path: string): Promise<OriginalEnd> {
    return new OriginalEnd(this, (await this.does({ do: "connect", path })).id!);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** A message that came, and the end that was attached to it. */
export interface Received {
  readonly message: string[];
  readonly attached: OriginalEnd | undefined;
}

/** One end of a socket in the process: its connection, or an attachment. */
export class OriginalEnd {
  readonly #peer: OriginalPeer;
  readonly #id: number;

  constructor(peer: OriginalPeer, id: number) {
    this.#peer = peer;
    this.#id = id;
  }

  /** Sends a message. */
  async send(...message: string[]): Promise<void> {
    await this.#do({ do: "send", message });
  }

  async sendTimes(times: number, ...message: string[]): Promise<void> {
    await this.#do({ do: "send", message, times });
  }

  /** Sends a message with an attachment, whose near end it keeps. */
  async attach(mode: Mode, ...message: string[]): Promise<OriginalEnd> {
    return new OriginalEnd(this.#peer, (await this.#do({ do: "send", message, mode })).id!);
  }

  /** The next message; undefined at the end. */
  async receive(): Promise<Received | undefined> {
    const { message, id } = await this.#do({ do: "receive" });
    if (message === undefined) return undefined;
    return { message, attached: typeof id === "number" ? new OriginalEnd(this.#peer, id) : undefined };
  }

  /** The next message, which has no attachment; undefined at the end. */
  async hears(): Promise<string[] | undefined> {
    return (await this.receive())?.message;
  }

  async raw(bytes: Uint8Array, ...kinds: ("socket" | "file" | "pipe" | "full")[]): Promise<void> {
    await this.#do({ do: "raw", hex: Buffer.from(bytes).toString("hex"), kinds });
  }

  /** Bytes up to the end, or so many: how many there were, what they add up to, and the first of them. */
  async read(size?: number): Promise<{ size: number; sum: number; text: string }> {
    const {
      size: found = 0,
      sum = 0,
      text = "",
    } = await this.#do({ do: "read", ...(size === undefined ? {} : { size }) });
    return { size: found, sum, text };
  }

  /** Writes so many bytes as they are. */
  async write(size: number): Promise<void> {
    await this.#do({ do: "write", size });
  }

  /** Sends nothing more. */
  async half(): Promise<void> {
    await this.#do({ do: "half" });
  }

  /** Closes it though a message may be waited for. */
  async leave(): Promise<void> {
    await this.#do({ do: "leave" });
  }

  async close(): Promise<void> {
    await this.#do({ do: "close" });
  }

  async #do(command: Readonly<Record<string, unknown>>): Promise<Said> {
    const said = await this.#peer.does({ on: this.#id, ...command });
    if (said.error !== undefined) throw new Error(`${said.error} while it did ${JSON.stringify(command)}`);
    return said;
  }
}
