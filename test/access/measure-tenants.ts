/**
 * Measures whether one tenant can tell by the time of an answer what another one has: `npm run measure:tenants`. Each name is
 * asked for once, in random order: half of the names are the other tenant's, which uses them; the others nobody has.
 */
import { randomUUID } from "node:crypto";
import { Agent, request as httpRequest } from "node:http";
import type { Access } from "../../src/access/access.ts";
import { createHub } from "../../src/hub/hub.ts";
import { connect } from "../../src/peer/connect.ts";
import { until } from "../house/until.ts";

const NAMES = 2_000;
const JOBS = 100;
const ROUNDS = 3;
/** Differences of medians below this part of a median are none; so are those that chance may make. */
const SAME = 0.02;
const CHANCE = 4;

const access: Access = {
  authenticate: ({ token = "main" }) => ({ id: "same", tenant: token, role: "service" }),
  may: () => true,
};

interface Probe {
  readonly name: string;
  /** Names of the other tenant's, and names that nobody has. */
  readonly theirs: readonly string[];
  readonly nobodys: readonly string[];
  readonly measured: (name: string) => Promise<unknown>;
}

function shuffled<T>(all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, place: Math.random() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ one }) => one);
}

const flat = (text: string): string => Buffer.from(text).toString();

function medianOf(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)]!;
}

/** How many standard deviations the ranks of the first are away from where chance would have them (Mann and Whitney). */
function distanceOf(first: readonly number[], second: readonly number[]): number {
  const all = [
    ...first.map((time) => ({ time, isFirst: true })),
    ...second.map((time) => ({ time, isFirst: false })),
  ];
  all.sort((one, other) => one.time - other.time);
  const ranks = all.reduce((sum, { isFirst }, index) => sum + (isFirst ? index + 1 : 0), 0);
  const [n, m] = [first.length, second.length];
  const mean = (n * (n + m + 1)) / 2;
  return (ranks - mean) / Math.sqrt((n * m * (n + m + 1)) / 12);
}

/** True if nothing can be told. */
async function measure({ name, theirs, nobodys, measured }: Probe): Promise<boolean> {
  const times = { theirs: [] as number[], nobodys: [] as number[] };
  const names = [
    ...theirs.map((one) => ({ one, of: "theirs" as const })),
    ...nobodys.map((one) => ({ one, of: "nobodys" as const })),
  ];
  for (const { one, of } of shuffled(names)) {
    const before = performance.now();
    await measured(one);
    times[of].push(performance.now() - before);
  }
  const medians = [medianOf(times.theirs), medianOf(times.nobodys)] as const;
  const distance = distanceOf(times.theirs, times.nobodys);
  const difference = medians[0] / medians[1] - 1;
  const isSame = Math.abs(difference) < SAME || Math.abs(distance) < CHANCE;
  const figures = medians.map((median) => `${(median * 1_000).toFixed(1)} us`).join(" and ");
  console.log(
    `${isSame ? "same" : "DIFFERENT"}  ${name}: ${figures}, ${(difference * 100).toFixed(2)} %, ${distance.toFixed(2)} sd`,
  );
  return isSame;
}

const agents = {
  owner: new Agent({ keepAlive: true }),
  prober: new Agent({ keepAlive: true, maxSockets: 1 }),
};

function ask(tenant: keyof typeof agents, method: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { method, agent: agents[tenant], headers: { authorization: `Bearer ${tenant}` } };
    const request = httpRequest(new URL(path, hub.httpUrl), options, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(text));
    });
    request.on("error", reject).end();
  });
}

await using hub = await createHub({ http: { port: 0 }, listen: ["tcp://127.0.0.1:0"], jobs: true, access });
const owner = await connect(hub.urls[0]!, { token: "owner" });
const prober = await connect(hub.urls[0]!, { token: "prober" });

/** A job of the owner's that is out. */
async function jobOf(subject: string): Promise<string> {
  const poll = ask("owner", "GET", `/service/${subject}/jobs?wait=20s`);
  void until(async () => !(await ask("owner", "POST", `/${subject}`)).includes("NO_RESPONDERS"));
  return (JSON.parse(await poll) as { id: string }).id;
}

let isSame = true;
for (let round = 0; round < ROUNDS; round++) {
  const half = Array.from({ length: NAMES }, (_, index) => `s${round}-${String(index).padStart(5, "0")}`);
  const theirs = half.filter((_, index) => index % 2 === 0);
  const nobodys = half.filter((_, index) => index % 2 === 1);
  const services = await Promise.all(theirs.map((name) => owner.serve(name, () => "theirs")));
  const ids: string[] = [];
  for (const name of theirs.slice(0, JOBS)) ids.push(await jobOf(`j-${name}`));
  for (const name of theirs.slice(-400)) await ask("owner", "POST", `/${name}`); // its path is one of those in use
  const recent = theirs.slice(-400);
  const probes: readonly Probe[] = [
    {
      name: "a subject, over a session",
      theirs,
      nobodys,
      measured: (name) => prober.request(name).catch(() => undefined),
    },
    {
      name: "a path, over HTTP",
      theirs: recent,
      nobodys: nobodys.slice(-400),
      measured: (name) => ask("prober", "POST", `/${name}`),
    },
    {
      name: "a service that is polled",
      theirs: theirs.slice(0, JOBS).map((name) => `j-${name}`),
      nobodys: nobodys.slice(0, JOBS).map((name) => `j-${name}`),
      measured: (name) => ask("prober", "GET", `/service/${name}/jobs?wait=0`),
    },
    {
      name: "a job",
      theirs: ids,
      nobodys: ids.map(() => flat(randomUUID())), // a string in pieces takes longer to send
      measured: (id) => ask("prober", "DELETE", `/jobs/${id}`),
    },
  ];
  for (const probe of probes) isSame = (await measure(probe)) && isSame;
  for (const id of ids) await ask("owner", "POST", `/jobs/${id}`);
  await Promise.all(services.map((service) => service.close()));
}
await Promise.all([owner.close(), prober.close()]);
for (const agent of Object.values(agents)) agent.destroy();
process.exitCode = isSame ? 0 : 1;
