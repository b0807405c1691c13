/** Everything that must be the same over every transport, in every codec, in every topology. */
import type { Case } from "./case.ts";
import { DEADLINES } from "./cases/deadlines.ts";
import { DESTINATIONS } from "./cases/destinations.ts";
import { ENABLING } from "./cases/enabling.ts";
import { ENDINGS } from "./cases/endings.ts";
import { FAILURES } from "./cases/failures.ts";
import { LOSSES } from "./cases/losses.ts";
import { PAYLOADS } from "./cases/payloads.ts";
import { PUBLISHING } from "./cases/publishing.ts";
import { REPLIES } from "./cases/replies.ts";
import { SLOW_CONSUMERS } from "./cases/slow-consumers.ts";
import { STREAMS } from "./cases/streams.ts";
import { VALUES } from "./cases/values.ts";

export const CASES: readonly Case[] = [
  ...VALUES,
  ...REPLIES,
  ...FAILURES,
  ...DEADLINES,
  ...PUBLISHING,
  ...SLOW_CONSUMERS,
  ...PAYLOADS,
  ...STREAMS,
  ...DESTINATIONS,
  ...ENDINGS,
  ...ENABLING,
  ...LOSSES,
];
