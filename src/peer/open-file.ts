import { closeSync, createReadStream, createWriteStream, type ReadStream, type WriteStream } from "node:fs";
import { LintelError } from "../message/failure.ts";

/** A file whose descriptor was passed. Its owner closes it, or creates a stream from it, which closes it at its end. */
export interface OpenFile {
  /** Its number in this process. */
  readonly fd: number;
  createReadStream(options?: { readonly start?: number; readonly end?: number }): ReadStream;
  createWriteStream(options?: { readonly start?: number }): WriteStream;
  close(): Promise<void>;
}

export class PassedFile implements OpenFile {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd;
  }

  createReadStream(options: { readonly start?: number; readonly end?: number } = {}): ReadStream {
    return createReadStream("", { ...options, fd: this.#release() });
  }

  createWriteStream(options: { readonly start?: number } = {}): WriteStream {
    return createWriteStream("", { ...options, fd: this.#release() });
  }

  close(): Promise<void> {
    if (this.#fd >= 0) closeSync(this.#release());
    return Promise.resolve();
  }

  #release(): number {
    const fd = this.#fd;
    if (fd < 0)
      throw new LintelError("failed_precondition", "the file was closed, or a stream was created from it");
    this.#fd = -1;
    return fd;
  }
}
