/** What routes the messages of a hub: its own broker, another hub, or an engine of the user's. */
import { readKeyFile } from "../access/keys/key-file.ts";
import { CountingEngine } from "../engine/counting-engine.ts";
import type { EngineAt } from "../engine/engine-at.ts";
import type { Engine } from "../engine/engine.ts";
import { LocalEngine } from "../engine/local/local-engine.ts";
import { RemoteEngine } from "../engine/remote/remote-engine.ts";
import { LintelError } from "../message/failure.ts";
import type { Limits } from "../message/limits.ts";
import type { Check } from "../message/options.ts";
import { urlText } from "../message/url-text.ts";
import type { Observer } from "../observe/observer.ts";
import { sideChannels } from "../session/side-channels/side-channels.ts";
import { Tenants } from "../access/tenants.ts";
import type { OpenStreams } from "../stream/open-streams.ts";
import { TransportRegistry } from "../transport/registry.ts";

export interface OpenEngineOptions {
  readonly limits: Limits;
  readonly observer: Observer | undefined;
  /** Shown to the other hub. */
  readonly name: string;
  readonly transports: TransportRegistry | undefined;
  readonly onError: (error: unknown, where: string) => void;
  /** Where streams are counted that are open. */
  readonly openStreams: OpenStreams;
}

const METHODS = ["route", "request", "cancel", "serve", "subscribe", "publish", "drain", "close"];

/** The option `engine` of a hub. */
export const anEngine: Check = (value) => {
  const isRight =
    typeof value === "string" ||
    typeof (value as Partial<EngineAt> | null)?.url === "string" ||
    isEngine(value);
  return isRight ? undefined : 'the URL of a hub, such as "tcp://other:4500", { url, tls }, or an Engine';
};

/**
 * Opens the engines of a hub. Another hub need not be there yet: until it is, requests fail as `NOT_CONNECTED`. Rejects with a
 * TypeError for a URL that is none.
 */
export async function openEngines(
  chosen: string | EngineAt | Engine | undefined,
  options: OpenEngineOptions,
): Promise<Tenants> {
  const { limits, observer } = options;
  if (chosen === undefined) {
    const main = new LocalEngine({ limits, observer });
    const create = (): LocalEngine => new LocalEngine({ limits, observer, sharesWith: main });
    return new Tenants(main, { limits, observer, create });
  }
  if (isEngine(chosen)) return new Tenants(new CountingEngine(chosen, observer), { limits, observer });
  const at = typeof chosen === "string" ? { url: chosen } : chosen;
  const remote = await connectTo(at, options);
  return new Tenants(new CountingEngine(remote, undefined), { limits, observer }); // it tells observers itself
}

async function connectTo(at: EngineAt, options: OpenEngineOptions): Promise<Engine> {
  const { url, tls } = at;
  const token = tokenOf(at);
  const { limits, observer, name, onError, transports = new TransportRegistry(), openStreams } = options;
  const where = `the connection to the hub at ${urlText(url)}`;
  const transport = await transports.for(url);
  let isReported = false;
  const engine = new RemoteEngine(transport, url, {
    name,
    limits,
    observer,
    sideChannels,
    endingStreams: openStreams,
    ...(tls === undefined ? {} : { tls }),
    ...(token === undefined ? {} : { token }),
    onState: (state, why) => {
      // Once each time it is lost, because it reconnects forever; and when it is not dialed again.
      if (why !== undefined && !(isReported && state === "connecting")) onError(LintelError.from(why), where);
      isReported = state === "connecting";
    },
  });
  const connected = engine.connected();
  connected.catch(() => undefined);
  // A URL that is none is known at once. Whether the other hub is there may take long, and is not waited for.
  await Promise.race([connected, new Promise((resolve) => setImmediate(resolve))]);
  return engine;
}

/** What this hub shows to the other. Rejects with `invalid_argument` where there are two. */
function tokenOf({ token, keyFile }: EngineAt): EngineAt["token"] {
  if (keyFile === undefined) return token;
  if (token === undefined) return () => readKeyFile(keyFile);
  throw new LintelError("invalid_argument", "createHub: engine has a token and a keyFile; give one of them");
}

function isEngine(value: unknown): value is Engine {
  const members = value as Record<string, unknown> | null | undefined;
  return typeof members === "object" && METHODS.every((method) => typeof members?.[method] === "function");
}
