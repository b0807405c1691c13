import { copyOf } from "../message/bytes.ts";
import { refuseOptions } from "./address.ts";
import type { Connection, ConnectionHandler, Listener, Transport } from "./transport.ts";

/** Bytes one end may have under way before `send` asks to wait. */
const WINDOW = 262_144;

/** One end of a pipe inside the process. Bytes are copied and arrive in a later turn of the loop, as on a socket. */
class MemoryConnection implements Connection {
  readonly remote: string;
  #peer: MemoryConnection | undefined;
  #handler: ConnectionHandler | undefined;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #scheduled = false;
  #isReading = true;
  #ended = false;
  #over = false;

  constructor(remote: string) {
    this.remote = remote;
  }

  static pair(remote: string): [MemoryConnection, MemoryConnection] {
    const near = new MemoryConnection(remote);
    const far = new MemoryConnection(remote);
    near.#peer = far;
    far.#peer = near;
    return [near, far];
  }

  open(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#schedule();
  }

  send(bytes: Uint8Array): boolean {
    const peer = this.#peer;
    if (peer === undefined || this.#over) return true; // `closed` is on its way
    peer.#inbox.push(copyOf(bytes, 0, bytes.length));
    peer.#inboxBytes += bytes.length;
    peer.#schedule();
    return peer.#inboxBytes < WINDOW;
  }

  read(going: boolean): void {
    this.#isReading = going;
    if (going) this.#schedule();
  }

  get unsent(): number {
    const peer = this.#peer;
    return peer === undefined ? 0 : peer.#inboxBytes;
  }

  close(): void {
    const peer = this.#peer;
    this.#leave();
    if (peer === undefined) return;
    peer.#ended = true;
    peer.#schedule();
  }

  abort(): void {
    const peer = this.#peer;
    this.#leave();
    if (peer === undefined) return;
    peer.#inbox = [];
    peer.#ended = true;
    peer.#schedule();
  }

  #leave(): void {
    this.#peer = undefined;
    this.#ended = true;
    this.#inbox = [];
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#handler === undefined || this.#over) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    const handler = this.#handler;
    if (handler === undefined || this.#over) return;
    const wasFull = this.#inboxBytes >= WINDOW;
    const chunks = this.#isReading ? this.#inbox : [];
    if (this.#isReading) this.#inbox = [];
    for (const [index, chunk] of chunks.entries()) {
      if (this.#over) break;
      if (!this.#isReading) {
        this.#inbox = [...chunks.slice(index), ...this.#inbox];
        break;
      }
      this.#inboxBytes -= chunk.length;
      handler.data(chunk, true);
    }
    const peer = this.#peer;
    if (wasFull && this.#inboxBytes < WINDOW && peer !== undefined) peer.#handler?.drained();
    if (!this.#ended || this.#over || this.#inbox.length > 0) return; // the end comes after what came before it
    this.#over = true;
    this.#peer = undefined;
    handler.closed(undefined);
  }
}

export type Names = Map<string, (connection: Connection) => void>;

/** Under it the process keeps the listeners by name, for all compatible copies of this package. */
const PROCESS_NAMES = Symbol.for("lintel.memory.v1");

/**
 * The names of this process (of this thread, where there are several). As with ports, whoever is in the process shares
 * them: this is the one thing that two hubs have in common. It holds what is listened on, and nothing afterwards.
 */
export function processNames(): Names {
  const shared = globalThis as { [PROCESS_NAMES]?: Names };
  return (shared[PROCESS_NAMES] ??= new Map());
}

/** The name in `memory:NAME`. */
function nameIn(url: string): string {
  const name = /^memory:(?:\/\/)?([^\s/]\S*)$/.exec(url)?.[1];
  if (name === undefined) throw new TypeError(`"${url}" is not of the form memory:NAME`);
  return name;
}

/** As the system says it of a port. */
function nameTaken(url: string): Error {
  const text = `listen EADDRINUSE: something in this process already listens on ${url}`;
  return Object.assign(new Error(text), { code: "EADDRINUSE", syscall: "listen", address: url });
}

/** `memory:NAME`: inside one process. Without `listeners` the transport has names of its own. */
export function createMemoryTransport(listeners: Names = new Map()): Transport {
  return {
    scheme: "memory",
    supports: { inProcess: true, remote: false, encrypted: true, bypasses: false },

    async dial(url, options = {}) {
      const name = nameIn(url);
      refuseOptions(url, options, "tls");
      if (options.signal?.aborted === true) throw new Error("dialing was aborted");
      const accept = listeners.get(name);
      if (accept === undefined) throw new Error(`nothing in this process listens on ${url}`);
      const [near, far] = MemoryConnection.pair(url);
      accept(far);
      return near;
    },

    async listen(url, accept, options = {}): Promise<Listener> {
      const name = nameIn(url);
      refuseOptions(url, options, "tls", "origins", "hosts", "handshakeTimeoutMs");
      if (listeners.has(name)) throw nameTaken(url);
      listeners.set(name, accept);
      const close = (): Promise<void> => {
        if (listeners.get(name) === accept) listeners.delete(name);
        return Promise.resolve();
      };
      return { url, close };
    },
  };
}
