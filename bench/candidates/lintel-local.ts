/** Lintel as an HTTP edge (W3) and inside one process (W4). */
import { join } from "node:path";
import { createHub } from "../../src/index.ts";
import { HTTP_ANSWER } from "./answer.ts";
import type { Open, OpenHub } from "./candidate.ts";
import { LINTEL_SUBJECT } from "./lintel.ts";

const HTTP_PATH = "/bench/echo";

/** Who answers behind the HTTP gateway. */
export type LintelEdge = "constant" | "in-process" | "worker";

/** One hub with an HTTP gateway and a unix listener for the worker; returns the URL to load and the worker's address. */
export async function openLintelEdge(
  edge: LintelEdge,
  directory: string,
): Promise<OpenHub & { workerAddress: string }> {
  const constant = { mode: "publish", reply: { status: 200, body: HTTP_ANSWER } } as const;
  const answered = edge === "constant" ? constant : { mode: "request" as const };
  const routes = (["GET", "POST"] as const).map((method) => ({
    method,
    path: HTTP_PATH,
    subject: LINTEL_SUBJECT,
    ...answered,
  }));
  const hub = await createHub({
    http: { host: "127.0.0.1", port: 0, routes },
    listen: [`unix://${join(directory, "lintel.sock")}`],
  });
  if (edge === "in-process") await hub.serve(LINTEL_SUBJECT, () => HTTP_ANSWER);
  return {
    address: `${hub.httpUrl}${HTTP_PATH}`,
    workerAddress: hub.urls[0] ?? "",
    close: () => hub.close(),
  };
}

/** A hub without listeners whose handler lives in the same process. */
export async function openLintelCall(): Promise<Open & { call(value: unknown): Promise<unknown> }> {
  const hub = await createHub({ http: false, listen: [] });
  await hub.serve(LINTEL_SUBJECT, (value) => value);
  return { call: (value) => hub.request(LINTEL_SUBJECT, value), close: () => hub.close() };
}
