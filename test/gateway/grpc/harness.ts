/** A gRPC gateway in front of an engine, and a stock client. */
import { after } from "node:test";
import { LocalEngine } from "../../../src/engine/local/local-engine.ts";
import { openGrpc, type GrpcGateway } from "../../../src/gateway/grpc/gateway.ts";
import type { GrpcOptions } from "../../../src/gateway/grpc/options.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../src/message/limits.ts";
import { EnginePeer } from "../../../src/peer/engine-peer.ts";
import { contextOf } from "../context.ts";
import { StockClient, type StockCall } from "./stock-client.ts";

export interface Gateway extends AsyncDisposable {
  readonly engine: LocalEngine;
  /** A peer in the hub's process. */
  readonly peer: EnginePeer;
  readonly gateway: GrpcGateway;
  /** Begins a call of the stock client. */
  call(options?: { echo?: boolean }): StockCall;
}

let shared: StockClient | undefined;
after(() => shared?.kill());

/** Started once for a file of tests: most of them need no process of their own. */
export function sharedClient(): StockClient {
  return (shared ??= new StockClient());
}

/** `client` is a process that the test may kill. */
export async function openGateway(
  options: Partial<GrpcOptions> = {},
  changed: Partial<Limits> = {},
  client?: StockClient,
): Promise<Gateway> {
  const limits = { ...DEFAULT_LIMITS, ...changed };
  const engine = new LocalEngine({ limits });
  const peer = new EnginePeer(engine, { onError: () => undefined });
  const gateway = await openGrpc(contextOf(engine, { limits }), { port: 0, ...options });
  return {
    engine,
    peer,
    gateway,
    call: (how = {}) => (client ?? sharedClient()).call(gateway.url, how),
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await peer.close();
    },
  };
}
