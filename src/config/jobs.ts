/** The `jobs` of a config file: workers over plain HTTP. */
import { jobsSettings, type JobServiceOptions, type JobsOptions } from "../gateway/jobs/options.ts";
import { MAX_TIMEOUT } from "../message/limits.ts";
import type { Node, Report } from "./document.ts";
import { boolean, duration, integer, map, oneOf, record, type Shape } from "./shape.ts";

const MAX_COUNT = 1_000_000;

const time = (name: string): Shape<number> => duration(name, MAX_TIMEOUT);

const serviceFields = map("a service of jobs", {
  delivery: oneOf("delivery", ["at-most-once", "at-least-once"]),
  lease: time("lease"),
  attempts: integer("attempts", 1, 1_000),
});

const service: Shape<JobServiceOptions> = (node, report) => {
  if (node.kind === "scalar" && node.value === null) return {}; // `resize:` alone
  const { lease, ...rest } = serviceFields(node, report) ?? {};
  return { ...rest, ...(lease === undefined ? {} : { leaseMs: lease }) };
};

/** What the gateway would refuse is reported here, where there is a line to point at. */
const services: Shape<Record<string, JobServiceOptions>> = (node, report) => {
  const read = record("services", service)(node, report);
  for (const [subject, options] of Object.entries(read ?? {})) {
    try {
      jobsSettings({ services: { [subject]: options } });
    } catch (error) {
      report(placeOf(node, subject), error instanceof Error ? error.message : String(error));
    }
  }
  return read;
};

const fields = map("jobs", {
  services,
  compat: oneOf("compat", ["astrohub"]),
  wait: time("wait"),
  maxWait: time("maxWait"),
  linger: time("linger"),
  maxPolls: integer("maxPolls", 1, MAX_COUNT),
  maxServices: integer("maxServices", 1, MAX_COUNT),
});

/** True, false, or a map. */
export const jobs: Shape<boolean | JobsOptions> = (node, report: Report) => {
  if (node.kind !== "map") return boolean("jobs")(node, report);
  const { wait, maxWait, linger, ...rest } = fields(node, report) ?? {};
  return {
    ...rest,
    ...(wait === undefined ? {} : { waitMs: wait }),
    ...(maxWait === undefined ? {} : { maxWaitMs: maxWait }),
    ...(linger === undefined ? {} : { lingerMs: linger }),
  };
};

function placeOf(node: Node, key: string): { readonly offset: number } {
  const entries = node.kind === "map" ? node.entries : [];
  return entries.find((entry) => entry.key === key) ?? node;
}
