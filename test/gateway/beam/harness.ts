/** A hub with a beam gateway, and an original peer connected to it. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Admission } from "../../../src/access/admission.ts";
import { openBeam, type BeamGateway } from "../../../src/gateway/beam/gateway.ts";
import type { BeamOptions } from "../../../src/gateway/beam/options.ts";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import type { LintelError } from "../../../src/message/failure.ts";
import type { Limits } from "../../../src/message/limits.ts";
import { canPassDescriptors } from "../../../src/transport/descriptors/libc.ts";
import { EnginePeer } from "../../../src/peer/engine-peer.ts";
import { contextOf } from "../context.ts";
import { OriginalPeer, type OriginalEnd } from "./original-peer.ts";

const skip = canPassDescriptors() ? false : "descriptors are passed on Linux with koffi installed";

/** A test that needs a gateway. */
export function gatewayTest(name: string, run: () => Promise<void>): void {
  void test(name, { skip }, run);
}

export interface Gateway extends AsyncDisposable {
  readonly engine: LocalEngine;
  /** A peer in the hub's process. */
  readonly peer: EnginePeer;
  readonly gateway: BeamGateway;
  readonly path: string;
  readonly original: OriginalPeer;
  readonly connection: OriginalEnd;
  /** Another one. */
  connect(): Promise<OriginalEnd>;
  /** Reasons that were reported. */
  readonly reported: string[];
}

/** Started once for a file of tests: most of them need no process of their own. */
let shared: OriginalPeer | undefined;
after(() => shared?.kill());

/** `original` is a process that the test may kill. */
export async function openGateway(
  options: Partial<BeamOptions> = {},
  original: OriginalPeer = (shared ??= new OriginalPeer()),
  limits: Partial<Limits> = {},
  given: { readonly engine?: LocalEngine; readonly admission?: Admission } = {},
): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), "lintel-beam-"));
  const path = join(folder, "beam.sock");
  const { engine = new LocalEngine({ limits }), ...context } = given;
  const peer = new EnginePeer(engine, { onError: () => undefined });
  const reported: string[] = [];
  const onError = (error: LintelError): void => void reported.push(error.reason);
  const gateway = await openBeam(contextOf(engine, context), { path, onError, ...options });
  const connect = (): Promise<OriginalEnd> => original.connect(path);
  const connection = await connect();
  return {
    engine,
    peer,
    gateway,
    path,
    original,
    connect,
    connection,
    reported,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      if (original !== shared) await original.kill();
      await peer.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
