/** TCP connections through a hub: `lintel/tunnel`, for Node only. */
import { Exposure, type ExposureOptions, type Target } from "../gateway/tunnel/worker.ts";
import type { Entrance, TunnelOptions } from "../gateway/tunnel/options.ts";
import { Tunnel } from "../gateway/tunnel/listener.ts";
import { EnginePeer } from "../peer/engine-peer.ts";
import type { Peer } from "../peer/peer.ts";

export type { Exposure, ExposureOptions, Target } from "../gateway/tunnel/worker.ts";
export type { Entrance, OnConnectionError, TunnelLimits, TunnelOptions } from "../gateway/tunnel/options.ts";
export type { Tunnel } from "../gateway/tunnel/listener.ts";

/**
 * Serves a subject with one target: every connection that a tunnel brings is joined with a new one to the target. Callers
 * choose the subject and nothing else. Resolves when connections can come; rejects like `peer.serve`.
 * Close it before its peer.
 */
export async function exposeTcp(
  peer: Peer,
  subject: string,
  target: Target,
  options: ExposureOptions = {},
): Promise<Exposure> {
  const exposure = new Exposure(EnginePeer.engineOf(peer), subject, target, options);
  await exposure.ready;
  return exposure;
}

/**
 * Listens on a TCP port, and connects every connection to a worker that exposes the subject. A connection is cut off when nobody
 * does, when the target does not answer, and whenever the way there is lost. Resolves with the port that was taken;
 * rejects with the system's error when it cannot listen. Close it before its peer.
 */
export async function tunnelTcp(
  peer: Peer,
  entrance: Entrance,
  options: TunnelOptions = {},
): Promise<Tunnel> {
  return await new Tunnel(EnginePeer.engineOf(peer), entrance.subject, options).listen(entrance);
}
