import { codecsOf } from "../codec/codecs.ts";
import { RemoteEngine, type RemoteEngineOptions } from "../engine/remote/remote-engine.ts";
import { LintelError } from "../message/failure.ts";
import { TransportRegistry } from "../transport/registry.ts";
import { EnginePeer, type EnginePeerOptions } from "./engine-peer.ts";
import type { CodecOptions, Peer } from "./peer.ts";

export interface ConnectOptions extends Omit<RemoteEngineOptions, "clock" | "random">, CodecOptions {
  /** How long to try for the first connection. Milliseconds, default 10,000; later ones are tried for for ever. */
  readonly timeoutMs?: number;
  /** Timeout of requests that name none. Milliseconds, default 30,000. */
  readonly requestTimeoutMs?: number;
  readonly onError?: EnginePeerOptions["onError"];
  /** Transports besides, or instead of, those that come along. */
  readonly transports?: TransportRegistry;
}

const FIRST_CONNECTION_MS = 10_000;

/**
 * Connects to a hub, for example `tcp://127.0.0.1:4500` or `unix:///run/lintel.sock`. Once connected, a connection that
 * is lost is made again for ever, and services and subscriptions are announced anew; requests fail at once meanwhile.
 * Rejects with `NOT_CONNECTED` when there is no first connection in time, and with a TypeError for a URL that is none.
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Peer> {
  const {
    timeoutMs = FIRST_CONNECTION_MS,
    requestTimeoutMs,
    onError,
    transports,
    ...engineOptions
  } = options;
  const transport = await (transports ?? new TransportRegistry()).for(url);
  const engine = new RemoteEngine(transport, url, engineOptions);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([engine.connected(), timeout]).finally(() => clearTimeout(timer));
  if (engine.state !== "connected") {
    const why = engine.lastFailure?.message ?? `no connection to ${url}`;
    await engine.close();
    throw LintelError.of("NOT_CONNECTED", `${why} (tried for ${timeoutMs} ms)`);
  }
  return new EnginePeer(engine, {
    codecs: codecsOf(options),
    ...(requestTimeoutMs === undefined ? {} : { timeoutMs: requestTimeoutMs }),
    ...(onError === undefined ? {} : { onError }),
  });
}
