/**
 * The place where the HTTP gateway meets an API that has paths of its own on the same port, of which it knows nothing else.
 * The gateway reads, checks, bounds and logs its requests, and writes its answers.
 */
import type { Admitted } from "../access/admission.ts";
import type { Engine } from "../engine/engine.ts";
import type { Failure } from "../message/failure.ts";

export interface HttpApi {
  /** The name of the gateway whose API it is. */
  readonly name: string;
  /** Its paths go before routes for every path, such as that of a web app at `/`. Default false: all routes go before them. */
  readonly precedesRoutes?: boolean;
  /** True while callers have to reach the port though it drains. */
  readonly needsPort: boolean;
  /**
   * The subject that a path, without its query, stands for: POST sends a request to a worker of it, as with a route. A failure when the
   * path cannot name one; undefined for paths that are not the API's. What is returned for a path stays the same.
   * Left out when no path of the API names a subject.
   */
  subjectOf?(path: string): string | Failure | undefined;
  /** A request for such a subject is about to be made. */
  announce?(subject: string, caller: string, tenantEngine: Engine): void;
  /** True for paths whose requests, whatever their method, `take` answers. */
  claims(path: string): boolean;
  /** A path of the API as a log may show it: without ids that are all one needs. Other paths as they are. */
  logPath?(path: string): string;
  /** Answers a request whose body is there, at once or later. */
  take(call: HttpCall): void;
}

/** A request, and the way to answer it, once. */
export interface HttpCall {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
  /** The caller it counts for. */
  readonly caller: string;
  /** The principal that sent it. */
  readonly admitted: Admitted;
  /** False if an answer would not reach the caller, or while that is unknown. */
  readonly isOpen: boolean;
  /** Called when `isOpen` has changed since the caller has ended its side: it may have left, or it has not. */
  onChanged: (() => void) | undefined;
  /** Called when the caller leaves before it has its answer, or the gateway answers in its place. */
  onGone: (() => void) | undefined;
  /** The body is done with, long before there is an answer: what it takes is free again. */
  dropBody(): void;
  /** What a log says it was about. */
  note(subject: string): void;
  /** `headers` are names and values in turn, without `Content-Length`. A string is sent as UTF-8. */
  answer(status: number, headers: string[], body?: string | Uint8Array, delivery?: Delivery): void;
  /** Answers with a problem. */
  problem(failed: Failure, headers?: readonly string[]): void;
}

/** Called with what happens to an answer. */
export interface Delivery {
  /** The connection has taken all of it. */
  taken(): void;
  /**
   * The caller cannot have read all of it: the connection ended before it took the whole answer. Only that proves it; a
   * connection that is reset after it took an answer says nothing about whether it was read.
   */
  lost(): void;
}
