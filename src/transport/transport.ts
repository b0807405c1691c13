import type { Failure } from "../message/failure.ts";
import type { OldNames } from "../message/options.ts";
import type { PeerIdentity } from "../message/peer-identity.ts";
import type { Duration } from "../message/quantity.ts";
import type { DescriptorSocket } from "./descriptors/descriptor-socket.ts";

/**
 * A transport carries bytes in order between two ends. It knows nothing of frames; nothing outside a transport asks
 * which one it is.
 */
export interface ConnectionHandler {
  /**
   * Bytes have arrived. They are lent until the call returns, when others may take their place: keep copies. If they are
   * offered they may be kept themselves: return true then.
   */
  data(bytes: Uint8Array, isOffered: boolean): boolean | void;
  /** Everything that `send` kept has been handed to the system. */
  drained(): void;
  /** The connection is over, after `close`, `abort`, the other end's leaving or an error. Called once. */
  closed(error: Error | undefined): void;
}

/**
 * A way for bytes beside a connection, one way, with flow control of its own. Nothing is said of how it ends: an end that
 * was cut off may look like one that has sent all.
 */
export interface Bypass {
  /** Starts the flow of events. Called once. Nothing is handed on before `read(true)`. */
  open(handler: BypassHandler): void;
  /**
   * Sends bytes. False: it is full, and `drained` follows; what is sent meanwhile is kept. Of bytes that are not its own
   * it has a copy, or, where it is full, needs them until `drained`. Its own are never written to again.
   */
  send(bytes: Uint8Array, isOwn?: boolean): boolean;
  /** Sends what it kept, then ends. `closed` follows when the other end has read everything. */
  end(): void;
  /** Whether what arrives is handed on. While it is not, nothing is, and the other end is held back. */
  read(going: boolean): void;
  /** Ends at once. */
  abort(): void;
}

export interface BypassHandler {
  /** Bytes have arrived. They are the receiver's to keep. */
  data(bytes: Uint8Array): void;
  /** There is room again. */
  drained(): void;
  /** Nothing comes any more, nor is anything sent. Called once, last. */
  closed(): void;
}

/** The bypasses of one connection. Only the end that dialed opens them, for bytes in either direction. */
export interface Bypasses {
  /** How many this end takes at a time. */
  readonly limit: number;
  /**
   * Opens a bypass that the other end knows by this number and direction. `opened` is called later, with nothing when there
   * is none to be had.
   */
  request(number: number, sends: boolean, opened: (bypass: Bypass | undefined) => void): void;
  /** The other end opens bypasses: `onBypass` takes one by opening it before it returns true, or refuses it. Called once. */
  accept(onBypass: (number: number, sends: boolean, bypass: Bypass) => boolean): void;
}

export interface Connection {
  /** The other end, for logs. */
  readonly remote: string;
  /** What is proven about the other end, determined when it is called. Left out if nothing can be proven. */
  readonly identity?: PeerIdentity | undefined;
  /** Left out where the transport has none. */
  readonly bypasses?: Bypasses | undefined;
  /** Starts the flow of events. Called once, before anything arrives is lost. */
  open(handler: ConnectionHandler): void;
  /**
   * Sends bytes. True: they are gone and the buffer may be reused. False: the transport keeps the buffer and is full;
   * nothing may be sent until `drained`.
   */
  send(bytes: Uint8Array): boolean;
  /**
   * As `send`, without a copy: where it returns true the buffer may be reused once `freed` is called, which it is not if the
   * connection is over first. Left out where `send` copies nothing.
   */
  lend?(bytes: Uint8Array, freed: () => void): boolean;
  /** As `send`, of `bytes` with `body` behind them, in one go. Only where neither is copied on the way. */
  readonly sendBoth?: (bytes: Uint8Array, body: Uint8Array) => boolean;
  /**
   * Whether what arrives is handed on. While it is not, the other end is held back; what has arrived by then, a few chunks,
   * may come all the same. Left out where the platform cannot.
   */
  read?(going: boolean): void;
  /** Bytes that the system has not taken yet of those given to `send`. Left out where that is not known. */
  readonly unsent?: number;
  /** Sends what it kept, then ends. */
  close(): void;
  /** Ends at once. */
  abort(): void;
  /** Set where descriptors can get to the other end, provided that it can do with them. */
  readonly descriptors?: DescriptorPassing | undefined;
}

/** How descriptors get to the other end of a connection: on a socket beside it, which is made when it is first needed. */
export interface DescriptorPassing {
  /** One more socket to where the connection was dialed. A connection that was accepted rejects. */
  dial(): Promise<DescriptorSocket>;
  /**
   * Makes a connection that was accepted itself into such a socket; of the connection nothing more is heard than its end.
   * One that was dialed throws.
   */
  takeOver(): DescriptorSocket;
  /** Closes a descriptor that has arrived. */
  close(descriptor: number): void;
}

export interface Listener {
  /** The URL to dial, with the port it really has. */
  readonly url: string;
  /**
   * Uses other certificates from the next connection on; those that are open stay. Only where connections have
   * certificates. Throws what `listen` would, and then everything stays as it was.
   */
  reload?(tls: TlsOptions): void;
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
  /** Streams of bytes may travel beside the connection, with flow control of their own. */
  readonly bypasses: boolean;
}

/** Certificates and keys as PEM text. What a transport without TLS is given of these it refuses. */
export interface TlsOptions {
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /**
   * Authorities that may sign the other end's certificate. Default when dialing: the platform's list. Listening: with it clients
   * are asked for a certificate. One that is not good counts as none.
   */
  readonly ca?: string | Uint8Array;
  /** Listening: refuse clients without a certificate that `ca` vouches for. */
  readonly requireClientCert?: boolean;
  /** Dialing: the name the other end's certificate must have, where it is not the URL's host. */
  readonly serverName?: string;
}

/** A request that is refused because of its page or its name, and where it came from. */
export interface RefusedRequest {
  readonly why: Failure;
  readonly remote: string | undefined;
  /** What it asked for, where a log may have it. */
  readonly path?: string;
}

/** What a transport has no use for it refuses, so that a lack shows at start. */
export interface ListenOptions {
  readonly tls?: TlsOptions;
  /**
   * Origins of web pages that may connect, such as `https://app.example.com`; `"*"` for all. Default: pages of the host
   * they connect to. Programs that are no browsers send no origin and are not asked for one.
   */
  readonly origins?: readonly string[];
  /**
   * Names, without a port, by which the listener may be asked besides loopback names, such as that of a proxy in front; `"*"`
   * for all. Default: on loopback none, elsewhere all.
   */
  readonly hosts?: readonly string[];
  /** Cuts off clients that have not completed TLS and HTTP in this time. Milliseconds, default 5,000. */
  readonly handshakeTimeoutMs?: number;
  /** Called with each request of a web page, or for a host name, that is refused. */
  readonly onRefused?: (refused: RefusedRequest) => void;
}

/** A URL to listen on with what its transport needs to know. */
export interface ListenAt
  extends Omit<ListenOptions, "handshakeTimeoutMs" | "onRefused">, OldNames<"handshakeTimeout"> {
  readonly url: string;
  /** Who has not finished TLS and HTTP by then is cut off: milliseconds, or text such as "5s". Default 5 s. */
  readonly handshakeTimeout?: Duration;
}

export interface DialOptions {
  readonly tls?: TlsOptions;
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
  listen(url: string, accept: (connection: Connection) => void, options?: ListenOptions): Promise<Listener>;
}
