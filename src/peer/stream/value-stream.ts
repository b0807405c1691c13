/** A sequence of values that arrived. It is told from a stream of bytes by its class when it is sent on. */
export class ValueStream extends ReadableStream<unknown> {
  /** Set it before anything is read: objects and numbers in JSON then come as `JsonText`, for code that only passes them on. */
  keepsJson = false;
}
