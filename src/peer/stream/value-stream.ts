/** A sequence of values that arrived. It is told from a stream of bytes by its class when it is sent on. */
export class ValueStream extends ReadableStream<unknown> {}
