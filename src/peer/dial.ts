import { urlText } from "../message/url-text.ts";
import { codecsOf } from "../codec/codecs.ts";
import { RemoteEngine, type RemoteEngineOptions } from "../engine/remote/remote-engine.ts";
import { LintelError, failure } from "../message/failure.ts";
import { OpenStreams } from "../stream/open-streams.ts";
import type { SideChannels } from "../session/side-channels/side-channels.ts";
import type { Transport } from "../transport/transport.ts";
import { checkConnect, timerMs } from "./checks.ts";
import { EnginePeer, reportToStderr, type EnginePeerOptions } from "./engine-peer.ts";
import type { CodecOptions, Peer } from "./peer.ts";
import type { AttachedObjects } from "./stream/values.ts";

export interface DialedPeerOptions
  extends
    Omit<RemoteEngineOptions, "clock" | "random" | "sideChannels" | "endingStreams" | "onError">,
    CodecOptions {
  /** How long to try for the first connection. Milliseconds, default 10,000; later ones are retried forever. */
  readonly timeoutMs?: number;
  /** Timeout of requests that name none. Milliseconds, default 30,000. */
  readonly requestTimeoutMs?: number;
  readonly onError?: EnginePeerOptions["onError"];
  /** The key to show to the hub, in place of a token: a text, or a function that is called before each attempt to connect. */
  readonly key?: RemoteEngineOptions["token"];
}

const FIRST_CONNECTION_MS = 10_000;

/** What a peer needs for transports that carry more than bytes in order. */
export interface PeerParts {
  readonly objects: AttachedObjects;
  readonly sideChannels: SideChannels;
}

/** A peer whose hub is dialed through this transport. Resolves and rejects as `connect` does. */
export async function dialPeer(
  transport: Transport,
  url: string,
  options: DialedPeerOptions,
  parts?: PeerParts,
): Promise<Peer> {
  checkConnect(options);
  const codecs = codecsOf(options, "connect");
  const { timeoutMs = FIRST_CONNECTION_MS, requestTimeoutMs, onError = reportToStderr, ...rest } = options;
  const engineOptions = rest.key === undefined ? { ...rest, onError } : { ...rest, onError, token: rest.key };
  const open = new OpenStreams();
  const besides = parts === undefined ? {} : { sideChannels: parts.sideChannels, endingStreams: open };
  const engine = new RemoteEngine(transport, url, { ...engineOptions, ...besides });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timerMs(timeoutMs));
  });
  await Promise.race([engine.connected(), timeout]).finally(() => clearTimeout(timer));
  if (engine.state !== "connected") {
    const last = engine.lastFailure ?? failure("NOT_CONNECTED", `no connection to ${urlText(url)}`);
    await engine.close();
    const why = last.code === "resource_exhausted" ? last : failure("NOT_CONNECTED"); // what the hub has no room for
    throw LintelError.from({ ...why, message: `${last.message} (tried for ${timeoutMs} ms)` });
  }
  return new EnginePeer(engine, {
    codecs,
    open,
    enabler: engine,
    ...(requestTimeoutMs === undefined ? {} : { timeoutMs: requestTimeoutMs }),
    onError,
    ...(parts === undefined ? {} : { objects: parts.objects }),
  });
}
