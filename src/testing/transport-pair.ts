/** Both ends of a connection of a transport that is tested. */
import type { Listener, Transport } from "../transport/transport.ts";
import { ByteEnd } from "./byte-end.ts";

export interface TransportSuiteOptions {
  readonly transport: Transport;
  /** An unused URL to listen on, a different one each time. */
  readonly freshUrl: () => string | Promise<string>;
}

/** Both ends of a connection, and the listener it came through. */
export interface Pair {
  readonly listener: Listener;
  readonly dialed: ByteEnd;
  readonly accepted: ByteEnd;
}

export async function openPair({ transport, freshUrl }: TransportSuiteOptions, deaf = false): Promise<Pair> {
  let accept: (end: ByteEnd) => void = () => undefined;
  const arrived = new Promise<ByteEnd>((resolve) => {
    accept = resolve;
  });
  const listener = await transport.listen(await freshUrl(), (connection) => accept(new ByteEnd(connection)));
  const connection = await transport.dial(listener.url);
  const dialed = new ByteEnd(connection, deaf);
  return { listener, dialed, accepted: await arrived };
}

export async function withPair(
  options: TransportSuiteOptions,
  run: (pair: Pair) => Promise<void>,
): Promise<void> {
  const pair = await openPair(options);
  try {
    await run(pair);
  } finally {
    pair.dialed.connection.abort();
    pair.accepted.connection.abort();
    await pair.listener.close();
  }
}
