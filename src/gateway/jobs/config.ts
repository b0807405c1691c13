/** The `jobs` of the configuration. Loaded only where a file, variables or flags are read. */
import {
  boolean,
  checked,
  duration,
  either,
  integer,
  literal,
  map,
  oneOf,
  option,
  record,
  turned,
} from "../../schema/fields.ts";
import type { Section } from "../../schema/section.ts";
import { jobsSettings, type JobServiceFileOptions, type JobsFileOptions } from "./options.ts";

const MAX_COUNT = 1_000_000;
const SERVICE_NAME = { maxLength: 255, pattern: "^(?!_)[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*$" };

const service = map<JobServiceFileOptions>("a service of jobs", {
  delivery: option(
    "what happens to a request whose worker is lost: it fails, or it is handed out again (`at-least-once`)",
    oneOf(["at-most-once", "at-least-once"]),
    "`at-most-once`",
  ),
  lease: option(
    "lease of a job whose poll asks for none",
    duration(),
    "until the deadline; `10s` if at least once",
  ),
  attempts: option("how often a request is handed out at most, if at least once", integer(1, 1_000), "5"),
});

/** `resize:` alone is a service, too. */
const serviceOrNothing = either(
  "a map, or nothing",
  turned(literal(null), () => ({})),
  service,
);

const services = checked(record(serviceOrNothing, SERVICE_NAME), (given, findings, isSound) => {
  for (const [subject, options] of Object.entries(given)) {
    if (!isSound(subject)) continue;
    try {
      jobsSettings({ services: { [subject]: options } });
    } catch (error) {
      findings.add(error instanceof Error ? error.message : String(error), [subject], true);
    }
  }
});

const options = map<JobsFileOptions>("jobs", {
  services: option("services that keep a queue even if no worker polls, by subject", services),
  compat: option(
    "`astrohub`: jobs have AstroHub's format, and requests wait for services that were never polled",
    oneOf(["astrohub"]),
  ),
  wait: option("how long a poll waits if it does not say", duration(), "`30s`"),
  maxWait: option("the longest time that a poll may wait", duration(), "`5m`"),
  linger: option(
    "how long a service that is not in `services` keeps its queue after its workers were last heard from",
    duration(),
    "`30s`",
  ),
  maxPolls: option("how many polls may wait at a time", integer(1, MAX_COUNT), "65,536"),
  maxServices: option(
    "how many services may be polled at a time that are not in `services`",
    integer(1, MAX_COUNT),
    "4,096",
  ),
});

export const section: Section<boolean | JobsFileOptions> = {
  help: "Workers may also fetch their jobs at the HTTP port: GET /service/NAME/jobs, POST /jobs/ID.",
  schema: option(
    "Workers over plain HTTP, on the port of the HTTP gateway: `true`, `false` for none, or a map.",
    either("true or false", boolean(), options),
    "`true`",
  ),
};
