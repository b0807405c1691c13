/** The `limits` of the configuration. */
import { MAX_HEADERS, type Limits } from "../message/limits.ts";
import { duration, integer, map, option, size, type Field } from "../schema/fields.ts";

const MAX_COUNT = 1_000_000_000;
const MAX_BYTES = 1_073_741_824;

const count = (about: string, otherwise: string): Field<number> =>
  option(about, integer(1, MAX_COUNT), otherwise);
const bytes = (about: string, otherwise: string, most = MAX_BYTES): Field<number> =>
  option(about, size(most), otherwise);
const time = (about: string, otherwise: string): Field<number> => option(about, duration(), otherwise);

export const limits: Field<Partial<Limits>> = option(
  "Every bound of the hub.",
  map<Partial<Limits>>("limits", {
    payload: bytes("size of a message's payload", "1 MiB"),
    headers: bytes("size of a message's headers, at most 65,535", "32 KiB", MAX_HEADERS),
    timeout: time("timeout of a request that sets none", "`30s`"),
    inFlight: count("requests in flight, queued ones included", "262,144"),
    sessionInFlight: count("requests in flight of one session", "65,536"),
    httpBodies: bytes("size of the bodies of all HTTP requests in flight", "256 MiB"),
    queue: count("requests waiting in one queue group", "1,000"),
    queueBytes: bytes("size of all requests that wait or are kept for another attempt", "192 MiB"),
    callerShare: count(
      "percentage of the shared bounds that [one caller](#what-one-caller-may-have) may use",
      "25",
    ),
    concurrency: count("requests that one worker holds if it sets no number", "256"),
    sessionBuffer: bytes("size of what waits for one session", "8 MiB"),
    sessionBuffers: bytes("size of the answers waiting for all slow sessions together", "128 MiB"),
    stallTimeout: time("end a session that does not read what waits for it for this long", "`5s`"),
    bindings: count("subjects per session", "4,096"),
    registrations: count("services, subscriptions and enablements per session", "4,096"),
    streams: count("streams that the other end of a session may have open", "2,048"),
    sessions: count("sessions at a time", "65,536"),
    helloTimeout: time("close a session that has not said hello in this time", "`5s`"),
    heartbeat: time("ping a session that has been quiet this long", "`2.5s`"),
    heartbeatTimeout: time("a pinged session that stays quiet this long more is lost", "`2.5s`"),
  }),
);
