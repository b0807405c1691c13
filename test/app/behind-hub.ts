/** A hub with an HTTP gateway and, over a real session, a peer that serves an app behind it. */
import type { TestContext } from "node:test";
import { serveHttp, type HttpApp, type HttpService, type HttpServiceOptions } from "../../src/app/index.ts";
import type { RouteOptions } from "../../src/gateway/http/route-options.ts";
import type { HttpOptions } from "../../src/gateway/http/options.ts";
import { connect, createHub, type Hub, type Peer } from "../../src/index.ts";
import { RawCaller } from "../gateway/http/harness.ts";

export interface BehindHub {
  readonly hub: Hub;
  readonly peer: Peer;
  readonly service: HttpService;
  /** Where the app is. */
  readonly url: string;
  readonly errors: unknown[];
  /** A raw connection to the gateway; the test closes it. */
  readonly call: () => RawCaller;
}

export interface Setting {
  readonly route?: Partial<RouteOptions>;
  readonly http?: HttpOptions;
  readonly service?: HttpServiceOptions;
}

/** Serves an app at `/app` of a hub on a free port; the test ends both. */
export async function behindHub(
  context: TestContext,
  app: HttpApp,
  { route, http, service: options }: Setting = {},
): Promise<BehindHub> {
  const errors: unknown[] = [];
  const routes: RouteOptions[] = [{ path: "/app", subject: "app", mode: "app", ...route }];
  const hub = await createHub({
    http: { port: 0, hosts: ["a.example"], routes, ...http },
    listen: ["tcp://127.0.0.1:0"],
  });
  const peer = await connect(hub.urls[0]!);
  const callers: RawCaller[] = [];
  context.after(async () => {
    for (const caller of callers) caller.close();
    await peer.close();
    await hub.close();
  });
  const onError = (error: unknown): void => void errors.push(error);
  const service = await serveHttp(peer, "app", app, { onError, ...options });
  const call = (): RawCaller => {
    const caller = new RawCaller(Number(new URL(hub.httpUrl!).port));
    callers.push(caller);
    return caller;
  };
  return { hub, peer, service, url: `${hub.httpUrl}/app`, errors, call };
}

/** A promise with the function that resolves it. */
export function signal<T = void>(): { readonly came: Promise<T>; readonly give: (value: T) => void } {
  let give: ((value: T) => void) | undefined;
  const came = new Promise<T>((resolve) => (give = resolve));
  return { came, give: (value) => give?.(value) };
}
