import { checkOptions, object, orOneOf, type Check } from "../../message/options.ts";
import type { GatewayKind } from "../gateway.ts";
import type { OpenJobsOptions } from "./options.ts";

const JOBS: Readonly<Record<string, Check>> = { jobs: orOneOf([false, true], object("{ maxPolls: 100 }")) };

/** Workers over plain HTTP, on the HTTP port. */
export const jobs: GatewayKind<OpenJobsOptions> = {
  name: "jobs",
  check: (options) => checkOptions("createHub", options, JOBS),
  config: async () => (await import("./config.ts")).section,
  async open(context, options) {
    const { openJobs } = await import("./gateway.ts");
    return openJobs(context, options);
  },
};
