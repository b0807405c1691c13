import type { Parties, Site } from "./fixture.ts";
import type { Topology } from "./topology.ts";

/** Caller and worker are the hub itself: values are handed over, no connection is made. */
export const IN_PROCESS: Topology = {
  name: "in process",
  supports: { travels: false, callerDials: false, workerDials: false, uplink: false },
  async build(site) {
    const hub = await site.hub(false);
    const lines = { callerLine: undefined, workerLine: undefined, uplink: undefined, workerEnd: undefined };
    return { caller: hub, worker: hub, ...lines, join: () => Promise.resolve(hub) };
  },
};

/** Topologies that need a transport. */
export const TOPOLOGIES: readonly Topology[] = [
  {
    name: "peer to peer",
    supports: { travels: true, callerDials: true, workerDials: false, uplink: false },
    async build(site) {
      const hub = await site.hub();
      const { peer: caller, line: callerLine } = await site.peer(urlOf(hub), "caller");
      const lines = { callerLine, workerLine: undefined, uplink: undefined, workerEnd: undefined };
      return { caller, worker: hub, ...lines, join: joinAt(site, urlOf(hub)) };
    },
  },
  {
    name: "peer to peer, the listening one calls",
    supports: { travels: true, callerDials: false, workerDials: true, uplink: false },
    async build(site) {
      const hub = await site.hub();
      const { peer: worker, line: workerLine, end: workerEnd } = await site.peer(urlOf(hub), "worker");
      const lines = { callerLine: undefined, workerLine, uplink: undefined, workerEnd };
      return { caller: hub, worker, ...lines, join: joinAt(site, urlOf(hub)) };
    },
  },
  {
    name: "through a hub",
    supports: { travels: true, callerDials: true, workerDials: true, uplink: false },
    async build(site) {
      const hub = urlOf(await site.hub());
      return between(site, hub, hub, undefined);
    },
  },
  {
    name: "through two hubs",
    supports: { travels: true, callerDials: true, workerDials: true, uplink: true },
    async build(site) {
      const home = urlOf(await site.hub());
      const { url, uplink } = await site.front(home);
      return between(site, url, home, uplink);
    },
  },
  {
    name: "through two hubs, the worker at the outer one",
    supports: { travels: true, callerDials: true, workerDials: true, uplink: true },
    async build(site) {
      const home = urlOf(await site.hub());
      const { url, uplink } = await site.front(home);
      return between(site, home, url, uplink);
    },
  },
];

async function between(
  site: Site,
  callerAt: string,
  workerAt: string,
  uplink: Parties["uplink"],
): Promise<Parties> {
  const { peer: caller, line: callerLine } = await site.peer(callerAt, "caller");
  const { peer: worker, line: workerLine, end: workerEnd } = await site.peer(workerAt, "worker");
  return { caller, worker, callerLine, workerLine, uplink, workerEnd, join: joinAt(site, workerAt) };
}

function joinAt(site: Site, url: string): Parties["join"] {
  return async (plain) => (await site.peer(url, "another", plain)).peer;
}

function urlOf(hub: { readonly urls: readonly string[] }): string {
  const [url] = hub.urls;
  if (url === undefined) throw new RangeError("the hub does not listen");
  return url;
}
