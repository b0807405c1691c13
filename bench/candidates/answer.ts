import type { Answer } from "./candidate.ts";

/** Every candidate of W3 answers with this object, so that all of them write the same bytes. */
export const HTTP_ANSWER: Answer = { answer: "yes" };
