/** Who may do what: the interface that a hub calls, and its vocabulary. */
import type { PeerCertificate, UnixPeer } from "../message/peer-identity.ts";

/**
 * What a principal wants to do.
 *
 * | verb      | with                       | asked when                                                       |
 * |-----------|----------------------------|------------------------------------------------------------------|
 * | request   | a subject                  | a request is made; an HTTP request, a job's, a tunnel's included |
 * | open      | a subject                  | a request opens or offers a channel                              |
 * | publish   | a subject                  | something is published                                           |
 * | subscribe | a pattern                  | a subscription is made                                           |
 * | serve     | a pattern                  | a worker registers, or polls for jobs, or answers one            |
 * | admin     | the name of what is managed | a gateway's own tools are used                                  |
 */
export type Verb = "request" | "publish" | "subscribe" | "serve" | "open" | "admin";

/**
 * An authenticated identity. Two principals count as the same if they are the same object, or plain objects with
 * these four members alone and the same values: what was decided for one then holds for the other. An `Access` whose
 * decisions depend on more puts it in a member of its own, and returns the same object for the same credentials where it
 * wants decisions to be remembered from one HTTP request to the next.
 */
export interface Principal {
  /** Names it in logs, and to an observer. */
  readonly id: string;
  readonly tenant: string;
  readonly role: string;
  /** When the credentials expire, in milliseconds since 1970. Sessions end then. Default: never. */
  readonly expiresAt?: number | undefined;
}

/** The tenant of callers that need no credentials, of a hub's own process, and of all that names no other. */
export const DEFAULT_TENANT = "main";

/** How much a principal may use. What is left out has no bound of its own. */
export interface PrincipalLimits {
  /** Sessions, gRPC calls and connections at a time. */
  readonly connections?: number | undefined;
  /** Requests and publications a second, on average. */
  readonly requestsPerSecond?: number | undefined;
  /** So many of them may come at once. Default: those of two seconds. */
  readonly burst?: number | undefined;
  /** Requests without an outcome yet. */
  readonly inFlight?: number | undefined;
  readonly subscriptions?: number | undefined;
  /** Bytes of requests and publications, on average. */
  readonly bytesPerSecond?: number | undefined;
}

/** True for principals with the same identity, whatever credentials each has shown. */
export function isSame(one: Principal, other: Principal): boolean {
  return one === other || (one.id === other.id && one.tenant === other.tenant);
}

/** What a caller, worker or peer shows. `token` is not verified yet; what a connection proves is proven. */
export interface Credentials {
  /** The gateway it came to: `native`, `http`, `grpc`, `beam`, `commands`, `tunnel`, or the name of your own. */
  readonly gateway: string;
  /** Where it came from, such as `tcp://10.0.0.7:51324` or an address alone. For logs, and for rules about networks. */
  readonly remote: string;
  /**
   * The bearer token: of HELLO, of `Authorization` in an HTTP request, or of a gRPC call's metadata. Empty where something else
   * stands in its place.
   */
  readonly token?: string | undefined;
  /** The verified client certificate. */
  readonly certificate?: PeerCertificate | undefined;
  /** The process at the other end of a unix socket, where the platform tells. */
  readonly unix?: UnixPeer | undefined;
}

/**
 * Decides who is admitted, and who may do what. A hub calls `authenticate` before it welcomes a session, a gRPC call, a
 * connection of beam or of a tunnel, and for each HTTP request; and `may` once for each principal, verb and subject. It
 * gives either of them 5 seconds (`limits.helloTimeout`) to answer.
 */
export interface Access {
  /**
   * Returns the principal, or throws or rejects with a `LintelError`, such as `new LintelError("unauthenticated", ...)`, which
   * the other end gets. An error of another kind is the access's own failure: the other end gets `ACCESS_UNAVAILABLE`, which may
   * be retried, and `onError` is called. What is no principal is `UNAUTHENTICATED`, and `onError` is called.
   */
  authenticate(credentials: Credentials): Principal | Promise<Principal>;
  /**
   * True when it is allowed. For anything else the other end gets `PERMISSION_DENIED`. Answers are remembered until the
   * principal is revoked; errors are not: what was asked fails as `ACCESS_UNAVAILABLE`, or as a `LintelError` that is thrown.
   *
   * `isEnabled`: a service of the principal's tenant has opened this to clients (`peer.enable`). Whether that counts is for the
   * access to say. When it changes, `may` is asked again.
   */
  may(principal: Principal, verb: Verb, subject: string, isEnabled: boolean): boolean | Promise<boolean>;
  /** How much a principal may use, asked when it is admitted. Default: as much as the hub's own limits allow. */
  limitsOf?(principal: Principal): PrincipalLimits | undefined;
  /**
   * Called once by the hub. From then on the listener is to be called with each principal whose credentials are no longer
   * good, or whose rights have changed: all that was remembered of principals with its id and tenant is forgotten, and
   * their sessions end with `UNAUTHENTICATED`. A principal with a member of its own stands for itself alone.
   */
  onRevoked?(listener: (principal: Principal) => void): void;
  /** Called when the hub closes. */
  close?(): void | Promise<void>;
}
