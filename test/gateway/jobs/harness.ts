/** What the tests of the jobs gateway share: a port with it in front of a real engine. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Engine } from "../../../src/engine/engine.ts";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import type { BodyBudget } from "../../../src/gateway/http/body-limit.ts";
import type { HttpOptions } from "../../../src/gateway/http/options.ts";
import type { RequestRecord } from "../../../src/observe/observer.ts";
import { openHttp, type HttpListening } from "../../../src/gateway/http/port.ts";
import { JobsGateway } from "../../../src/gateway/jobs/gateway.ts";
import type { JobsOptions } from "../../../src/gateway/jobs/options.ts";
import type { Limits } from "../../../src/message/limits.ts";
import { until } from "../../house/until.ts";

/** A job as a worker sees it. */
export interface GivenJob {
  readonly id: string;
  readonly originalRequest: unknown;
  readonly encoding: string;
  readonly service: string;
  readonly attempts: number;
  readonly deadline: number;
  readonly lease: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers: Record<string, string>;
}

export interface HarnessOptions {
  readonly jobs?: JobsOptions;
  readonly http?: HttpOptions;
  readonly limits?: Partial<Limits>;
  readonly bodies?: BodyBudget;
}

export interface Harness {
  readonly engine: LocalEngine;
  readonly gateway: JobsGateway;
  readonly listening: HttpListening;
  readonly records: readonly RequestRecord[];
  readonly port: number;
  /** A request for a service. */
  ask(
    service: string,
    body?: string | Uint8Array,
    headers?: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Response>;
  /** A poll that gets a job, in the usual form. */
  poll(service: string, query?: string): Promise<GivenJob>;
  /** Any call. */
  call(path: string, init?: RequestInit): Promise<Response>;
  /** A call with a body, by POST. */
  post(path: string, body?: string | Uint8Array, headers?: Record<string, string>): Promise<Response>;
  /** Resolves when so many requests are without an outcome. */
  inFlight(count: number): Promise<void>;
  /** Resolves when so many polls wait. */
  waiting(count: number): Promise<void>;
}

/** Bytes that the system's buffers between two ends of a connection do not hold. */
export const LARGER_THAN_BUFFERS = 16_000_000;

/** The type `curl -d` gives to everything. */
const CURL = { "content-type": "application/x-www-form-urlencoded" };

/** The test closes it, and fails when the gateway had a defect. */
export async function openHarness(context: TestContext, options: HarnessOptions = {}): Promise<Harness> {
  const engine = new LocalEngine(options.limits === undefined ? {} : { limits: options.limits });
  return harnessOn(context, engine, engine, options);
}

/** The same in front of an engine that leads to `local`. */
export async function harnessOn(
  context: TestContext,
  engine: Engine,
  local: LocalEngine,
  options: HarnessOptions = {},
): Promise<Harness> {
  const gateway = new JobsGateway(engine, options.jobs);
  const records: RequestRecord[] = [];
  const faults: unknown[] = [];
  const settled: HttpOptions = {
    port: 0,
    hosts: ["x", "hub"], // what the requests of the tests are for
    onRequest: (record) => void records.push(record),
    onFault: (fault) => void faults.push(fault),
    ...options.http,
  };
  const listening = await openHttp(engine, settled, {
    apis: [gateway],
    ...(options.bodies === undefined ? {} : { bodies: options.bodies }),
  });
  context.after(async () => {
    await gateway.close();
    await listening.close();
    await engine.close();
    assert.deepEqual(faults, []);
  });
  const call = (path: string, init?: RequestInit): Promise<Response> => fetch(listening.url + path, init);
  return {
    engine: local,
    gateway,
    listening,
    records,
    port: Number(new URL(listening.url).port),
    call,
    post: (path, body = "", headers = {}) =>
      call(path, { method: "POST", body, headers: { ...CURL, ...headers } }),
    ask: (service, body = "{}", headers = {}, signal) =>
      call(`/service/${service}`, {
        method: "POST",
        body,
        headers: { ...CURL, ...headers },
        ...(signal === undefined ? {} : { signal }),
      }),
    poll: async (service, query = "") => {
      const response = await call(`/service/${service}/jobs${query}`);
      assert.equal(response.status, 200, await response.clone().text());
      return (await response.json()) as GivenJob;
    },
    inFlight: async (count) => void (await until(() => local.inFlight === count)),
    waiting: async (count) => void (await until(() => gateway.stats().polls === count)),
  };
}

/** Status and reason of a problem. */
export async function problemOf(response: Response): Promise<[status: number, reason: unknown]> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { reason, status } = (await response.json()) as { reason: unknown; status: unknown };
  assert.equal(status, response.status);
  return [response.status, reason];
}
