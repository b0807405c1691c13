/**
 * A transport carries bytes in order between two ends. It knows nothing of frames; nothing outside a transport asks
 * which one it is.
 */
export interface ConnectionHandler {
  /** Bytes have arrived. They belong to the receiver: nobody writes to them again, so views of them may be kept. */
  data(bytes: Uint8Array): void;
  /** Everything that `send` kept has been handed to the system. */
  drained(): void;
  /** The connection is over, after `close`, `abort`, the other end's leaving or an error. Called once. */
  closed(error: Error | undefined): void;
}

export interface Connection {
  /** Who is at the other end, for logs. */
  readonly remote: string;
  /** Starts the flow of events. Called once, before anything arrives is lost. */
  open(handler: ConnectionHandler): void;
  /**
   * Sends bytes. True: they are gone and the buffer may be reused. False: the transport keeps the buffer and is full;
   * nothing may be sent until `drained`.
   */
  send(bytes: Uint8Array): boolean;
  /** Sends what it kept, then ends. */
  close(): void;
  /** Ends at once. */
  abort(): void;
}

export interface Listener {
  /** The URL to dial, with the port it really has. */
  readonly url: string;
  /** Accepts nothing new. Connections that are open stay. */
  close(): Promise<void>;
}

export interface TransportSupports {
  /** Both ends must be in this process. */
  readonly inProcess: boolean;
  /** Reaches other machines. */
  readonly remote: boolean;
  /** Bytes are encrypted on their way. */
  readonly encrypted: boolean;
}

export interface DialOptions {
  /** Gives up after this long. Milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface Transport {
  /** The scheme of its URLs, without the colon. */
  readonly scheme: string;
  readonly supports: TransportSupports;
  dial(url: string, options?: DialOptions): Promise<Connection>;
  /** `accept` must call `open` on the connection before it returns. */
  listen(url: string, accept: (connection: Connection) => void): Promise<Listener>;
}
