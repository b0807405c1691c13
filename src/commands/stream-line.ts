/** Lines over streams of Node: a TCP or TLS connection, or the pipes of a process. */
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { CommandLine, LineEvents } from "./line.ts";

/** Bytes that wait to be written before `send` asks to wait. */
const WINDOW = 262_144;
const CLOSE_TIMEOUT_MS = 2000;

/** What a line reads from and writes to, which may be the same. */
interface Streams {
  readonly input: Readable;
  readonly output: Writable;
  /** Ends both at once. */
  abort(): void;
  /** Calls back once when both have ended. */
  onEnd(ended: (why: Error | undefined) => void): void;
}

class StreamLine implements CommandLine {
  readonly remote: string;
  readonly #streams: Streams;
  #isFull = false;
  #isCorked = false;
  #closing: NodeJS.Timeout | undefined;

  constructor(remote: string, streams: Streams) {
    this.remote = remote;
    this.#streams = streams;
  }

  get buffered(): number {
    return this.#streams.output.writableLength;
  }

  open(events: LineEvents): void {
    const { input, output } = this.#streams;
    input.on("data", (chunk: Buffer) => events.data(chunk));
    input.on("end", () => (events.ended === undefined ? output.end() : events.ended()));
    output.on("drain", () => this.#drained(events));
    this.#streams.onEnd((why) => {
      clearTimeout(this.#closing);
      events.closed(why);
    });
  }

  send(encoded: string | Uint8Array): boolean {
    const { output } = this.#streams;
    if (!output.writable) return true; // the end is on its way
    if (!this.#isCorked) this.#cork();
    output.write(encoded);
    this.#isFull ||= output.writableLength > WINDOW;
    return !this.#isFull;
  }

  read(going: boolean): void {
    if (going) this.#streams.input.resume();
    else this.#streams.input.pause();
  }

  /** An other end that does not read what is left, or does not close, is cut off in two seconds. */
  close(): void {
    const { input, output } = this.#streams;
    output.end();
    input.resume(); // else its end would not be read
    this.#closing = setTimeout(() => this.#streams.abort(), CLOSE_TIMEOUT_MS);
  }

  abort(): void {
    this.#streams.abort();
  }

  /** What is sent in one turn of the loop is written at once. */
  #cork(): void {
    const { output } = this.#streams;
    this.#isCorked = true;
    output.cork();
    setImmediate(() => {
      this.#isCorked = false;
      output.uncork();
    });
  }

  #drained(events: LineEvents): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    events.drained();
  }
}

/** A line over a TCP or TLS connection that is open. */
export function socketLine(socket: Socket, remote: string): CommandLine {
  let error: Error | undefined;
  socket.on("error", (why) => {
    error = why; // 'close' follows
  });
  return new StreamLine(remote, {
    input: socket,
    output: socket,
    abort: () => socket.destroy(),
    onEnd: (ended) => {
      if (socket.closed) setImmediate(ended, error);
      else socket.on("close", () => ended(error));
    },
  });
}

/**
 * A line over the standard input and output of a child process, which must be pipes. Closing the line ends the child's input; the
 * line ends when the child has exited.
 */
export function childLine(child: ChildPipes, remote: string): CommandLine {
  const { stdin: output, stdout: input } = child;
  if (output === null || input === null)
    throw new TypeError(`${remote}: the standard input and output of the process must be pipes`);
  for (const part of [child, input, output]) part.on("error", () => undefined); // its exit follows and says more
  return new StreamLine(remote, {
    input,
    output,
    abort: () => {
      child.kill("SIGKILL");
      input.destroy(); // its own children may hold the pipes
      output.destroy();
    },
    onEnd: (ended) => {
      child.on("close", (code, signal) => ended(exitError(remote, code, signal)));
    },
  });
}

/** A line over this process's own standard input and output, to the process that has started it. */
export function standardLine(): CommandLine {
  const { stdin: input, stdout: output } = process;
  for (const part of [input, output]) part.on("error", () => undefined); // the parent is gone: the end of the input says so
  return new StreamLine("parent process", {
    input,
    output,
    abort: () => {
      input.destroy();
      output.destroy();
    },
    onEnd: (ended) => {
      input.on("close", () => ended(undefined));
    },
  });
}

/** What of a child process is needed. */
export type ChildPipes = Pick<ChildProcess, "stdin" | "stdout" | "on" | "kill" | "pid">;

function exitError(remote: string, code: number | null, signal: string | null): Error | undefined {
  if (code === 0) return undefined;
  return new Error(`${remote} ${signal === null ? `exited with status ${code}` : `was ended by ${signal}`}`);
}
