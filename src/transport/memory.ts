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
    const chunks = this.#inbox;
    const wasFull = this.#inboxBytes >= WINDOW;
    this.#inbox = [];
    this.#inboxBytes = 0;
    for (const chunk of chunks) {
      if (!this.#over) handler.data(chunk, true);
    }
    const peer = this.#peer;
    if (wasFull && peer !== undefined) peer.#handler?.drained();
    if (!this.#ended || this.#over || this.#inbox.length > 0) return; // the end comes after what came before it
    this.#over = true;
    this.#peer = undefined;
    handler.closed(undefined);
  }
}

/** `memory:NAME`: inside one process. Each transport made here has names of its own. */
export function createMemoryTransport(): Transport {
  const listeners = new Map<string, (connection: Connection) => void>();
  return {
    scheme: "memory",
    supports: { inProcess: true, remote: false, encrypted: true, bypasses: false },

    async dial(url, options = {}) {
      refuseOptions(url, options, "tls");
      if (options.signal?.aborted === true) throw new Error("dialing was aborted");
      const accept = listeners.get(url);
      if (accept === undefined) throw new Error(`nobody listens on ${url}`);
      const [near, far] = MemoryConnection.pair(url);
      accept(far);
      return near;
    },

    async listen(url, accept, options = {}): Promise<Listener> {
      refuseOptions(url, options, "tls", "origins", "hosts", "handshakeTimeoutMs");
      if (listeners.has(url)) throw new Error(`${url} is taken`);
      listeners.set(url, accept);
      const close = (): Promise<void> => {
        if (listeners.get(url) === accept) listeners.delete(url);
        return Promise.resolve();
      };
      return { url, close };
    },
  };
}
