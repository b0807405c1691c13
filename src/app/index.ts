/** Web apps as workers: `lintel/app`, for Node only. */
import { EnginePeer } from "../peer/engine-peer.ts";
import type { Peer } from "../peer/peer.ts";
import { checkPattern } from "../message/subject.ts";
import { recogniseApp, type HttpApp, type RecognisedApp } from "./recognise.ts";
import { HttpService, type HttpServiceOptions } from "./service.ts";

export { recogniseApp } from "./recognise.ts";
export type { FetchEnvironment, FetchHandler } from "./fetch-app.ts";
export type { Listener, OnError } from "./listener-app.ts";
export type { HttpApp, RecognisedApp } from "./recognise.ts";
export type { Prefix } from "./request.ts";
export type { HttpService, HttpServiceOptions } from "./service.ts";

/**
 * Serves a subject with a web app, as it is: requests that a route of mode `app` leads there come to it as if it listened
 * on a port. Resolves when requests can come. Rejects with `invalid_argument` for what is no web app, and like `peer.serve`.
 * Close it before its peer.
 */
export async function serveHttp(
  peer: Peer,
  subject: string,
  app: HttpApp | Promise<HttpApp>,
  options: HttpServiceOptions = {},
): Promise<HttpService> {
  return serveRecognised(peer, subject, await recogniseApp(app), options);
}

/** As `serveHttp`, for an app that has been recognised: to tell people of what kind it is before. */
export async function serveRecognised(
  peer: Peer,
  subject: string,
  app: RecognisedApp,
  options: HttpServiceOptions = {},
): Promise<HttpService> {
  const service = new HttpService(
    EnginePeer.engineOf(peer),
    EnginePeer.defaultsOf(peer, {}).values,
    checkPattern(subject),
    app,
    options,
  );
  await service.ready;
  return service;
}
