import type { Parties, Fixture } from "./fixture.ts";
import type { Topology } from "./topology.ts";

/** Caller and worker are the hub itself: values are handed over, no connection is made. */
export const IN_PROCESS: Topology = {
  name: "in process",
  supports: { travels: false, callerDials: false, workerDials: false, hubLink: false },
  async build(fixture) {
    const hub = await fixture.hub(false);
    const links = { callerLink: undefined, workerLink: undefined, hubLink: undefined, workerEnd: undefined };
    return { caller: hub, worker: hub, ...links, join: () => Promise.resolve(hub) };
  },
};

/** Topologies that need a transport. */
export const TOPOLOGIES: readonly Topology[] = [
  {
    name: "peer to peer",
    supports: { travels: true, callerDials: true, workerDials: false, hubLink: false },
    async build(fixture) {
      const hub = await fixture.hub();
      const { peer: caller, link: callerLink } = await fixture.peer(urlOf(hub), "caller");
      const links = { callerLink, workerLink: undefined, hubLink: undefined, workerEnd: undefined };
      return { caller, worker: hub, ...links, join: joinAt(fixture, urlOf(hub)) };
    },
  },
  {
    name: "peer to peer, the listening one calls",
    supports: { travels: true, callerDials: false, workerDials: true, hubLink: false },
    async build(fixture) {
      const hub = await fixture.hub();
      const { peer: worker, link: workerLink, end: workerEnd } = await fixture.peer(urlOf(hub), "worker");
      const links = { callerLink: undefined, workerLink, hubLink: undefined, workerEnd };
      return { caller: hub, worker, ...links, join: joinAt(fixture, urlOf(hub)) };
    },
  },
  {
    name: "through a hub",
    supports: { travels: true, callerDials: true, workerDials: true, hubLink: false },
    async build(fixture) {
      const hub = urlOf(await fixture.hub());
      return between(fixture, hub, hub, undefined);
    },
  },
  {
    name: "through two hubs",
    supports: { travels: true, callerDials: true, workerDials: true, hubLink: true },
    async build(fixture) {
      const home = urlOf(await fixture.hub());
      const { url, hubLink } = await fixture.front(home);
      return between(fixture, url, home, hubLink);
    },
  },
  {
    name: "through two hubs, the worker at the outer one",
    supports: { travels: true, callerDials: true, workerDials: true, hubLink: true },
    async build(fixture) {
      const home = urlOf(await fixture.hub());
      const { url, hubLink } = await fixture.front(home);
      return between(fixture, home, url, hubLink);
    },
  },
];

async function between(
  fixture: Fixture,
  callerAt: string,
  workerAt: string,
  hubLink: Parties["hubLink"],
): Promise<Parties> {
  const { peer: caller, link: callerLink } = await fixture.peer(callerAt, "caller");
  const { peer: worker, link: workerLink, end: workerEnd } = await fixture.peer(workerAt, "worker");
  return { caller, worker, callerLink, workerLink, hubLink, workerEnd, join: joinAt(fixture, workerAt) };
}

function joinAt(fixture: Fixture, url: string): Parties["join"] {
  return async (plain) => (await fixture.peer(url, "another", plain)).peer;
}

function urlOf(hub: { readonly urls: readonly string[] }): string {
  const [url] = hub.urls;
  if (url === undefined) throw new RangeError("the hub does not listen");
  return url;
}
