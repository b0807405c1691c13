/** What a process of the bench can be. Implementations are loaded when a role is opened, so that a process holds one candidate only. */
import type { Answer, Candidate, Open, Transport } from "./candidates/candidate.ts";
import type { StreamTransport } from "./candidates/lintel-stream.ts";
import type { LintelEdge } from "./candidates/lintel-local.ts";
import type { NatsSetting } from "./candidates/nats.ts";
import type { FanoutLoad, Load, Sample } from "./load/sample.ts";
import type { StreamSource } from "./load/streams.ts";

/** Which implementation: the setting matters to the NATS client only. */
export type Implementation =
  | "lintel"
  | "lintel-text"
  | "text-by-hand"
  | "relay"
  | "socket.io"
  | `nats-${NatsSetting}`;

export type Role =
  | {
      readonly is: "hub";
      readonly of: Implementation;
      readonly transport: Transport;
      readonly directory: string;
    }
  | {
      readonly is: "worker";
      readonly of: Implementation;
      readonly address: string;
      readonly answer?: Answer;
    }
  | { readonly is: "caller"; readonly of: Implementation; readonly address: string }
  | {
      readonly is: "publisher";
      readonly of: Implementation;
      readonly address: string;
      readonly ackPath: string;
    }
  | {
      readonly is: "subscribers";
      readonly of: Implementation;
      readonly address: string;
      readonly ackPath: string;
      readonly loads: readonly FanoutLoad[];
    }
  | { readonly is: "bare-http" }
  | { readonly is: "nats-edge"; readonly address: string; readonly setting: NatsSetting }
  | { readonly is: "lintel-edge"; readonly edge: LintelEdge; readonly directory: string }
  | { readonly is: "calls"; readonly of: "direct" | "lintel" }
  | { readonly is: "raw-sink"; readonly transport: "unix" | "tcp"; readonly directory: string }
  | {
      readonly is: "raw-relay";
      readonly transport: "unix" | "tcp";
      readonly directory: string;
      readonly address: string;
    }
  | {
      readonly is: "stream-hub";
      readonly transport: StreamTransport;
      readonly directory: string;
      readonly serves: boolean;
    }
  | { readonly is: "stream-worker"; readonly address: string }
  | { readonly is: "stream-source"; readonly of: "raw" | "lintel"; readonly address: string }
  | { readonly is: "stream-memory" };

type StreamRole = Extract<Role["is"], `raw-${string}` | `stream-${string}`>;

/** Where others reach a role; empty for roles that nobody dials. */
export interface Addresses {
  readonly address?: string;
  readonly workerAddress?: string;
}

export interface OpenRole extends Open, Addresses {
  measure?(load: Load, seconds: number): Promise<Sample>;
}

export async function openRole(role: Role): Promise<OpenRole> {
  switch (role.is) {
    case "hub":
      return await (await load(role.of)).openHub(role.transport, role.directory);
    case "worker":
      return await (await load(role.of)).openWorker(role.address, role.answer);
    case "caller":
      return await openCaller(await load(role.of), role.address);
    case "publisher":
      return await openPublisher(await load(role.of), role.address, role.ackPath);
    case "subscribers": {
      const { openSubscribers } = await import("./load/fanout.ts");
      return await openSubscribers(await load(role.of), role.address, role.loads, role.ackPath);
    }
    case "bare-http":
      return await (await import("./candidates/http.ts")).openBareHttp();
    case "nats-edge":
      return await (await import("./candidates/http.ts")).openNatsEdge(role.address, role.setting);
    case "lintel-edge":
      return await (await import("./candidates/lintel-local.ts")).openLintelEdge(role.edge, role.directory);
    case "calls":
      return await openCalls(role.of);
    default:
      return await openStreamRole(role);
  }
}

async function openStreamRole(role: Extract<Role, { is: StreamRole }>): Promise<OpenRole> {
  const { openRawRelay, openRawSink, openRawSource } = await import("./candidates/raw-stream.ts");
  if (role.is === "raw-sink") return await openRawSink(role.transport, role.directory);
  if (role.is === "raw-relay") return await openRawRelay(role.transport, role.directory, role.address);
  if (role.is === "stream-source" && role.of === "raw") return sending(openRawSource(role.address));
  const lintel = await import("./candidates/lintel-stream.ts");
  if (role.is === "stream-hub")
    return await lintel.openStreamHub(role.transport, role.directory, role.serves);
  if (role.is === "stream-worker") return await lintel.openStreamWorker(role.address);
  if (role.is === "stream-memory") return sending(await lintel.openStreamMemory());
  return sending(await lintel.openStreamCaller(role.address));
}

async function sending(source: StreamSource & Open): Promise<OpenRole> {
  const { measureStream } = await import("./load/streams.ts");
  return { close: () => source.close(), measure: (_load, seconds) => measureStream(source, seconds) };
}

async function load(of: Implementation): Promise<Candidate> {
  if (of === "lintel") return (await import("./candidates/lintel.ts")).lintel;
  if (of === "lintel-text") return (await import("./candidates/lintel-text.ts")).lintelText;
  if (of === "text-by-hand") return (await import("./candidates/text-by-hand.ts")).textByHand;
  if (of === "relay") return (await import("./candidates/relay.ts")).relay;
  if (of === "socket.io") return (await import("./candidates/socket-io.ts")).socketIo;
  const { NATS_SETTINGS, natsWith } = await import("./candidates/nats.ts");
  const setting = NATS_SETTINGS.find((name) => of === `nats-${name}`);
  if (setting === undefined) throw new Error(`unknown implementation ${of}`);
  return natsWith(setting);
}

async function openCaller(candidate: Candidate, address: string): Promise<OpenRole> {
  const { measureRequests } = await import("./load/requests.ts");
  const caller = await candidate.openCaller(address);
  return {
    close: () => caller.close(),
    measure: (wanted, seconds) => measureRequests(caller, expectLoad(wanted, "request"), seconds),
  };
}

async function openPublisher(candidate: Candidate, address: string, ackPath: string): Promise<OpenRole> {
  const { FanoutMeter } = await import("./load/fanout.ts");
  const meter = await FanoutMeter.open(candidate, address, ackPath);
  return {
    close: () => meter.close(),
    measure: (wanted, seconds) => meter.measure(expectLoad(wanted, "fanout"), seconds),
  };
}

async function openCalls(of: "direct" | "lintel"): Promise<OpenRole> {
  const { measureCalls } = await import("./load/calls.ts");
  if (of === "direct") {
    const direct = async (value: unknown): Promise<unknown> => value;
    return { close: () => undefined, measure: (_load, seconds) => measureCalls(direct, seconds) };
  }
  const { openLintelCall } = await import("./candidates/lintel-local.ts");
  const hub = await openLintelCall();
  return {
    close: () => hub.close(),
    measure: (_load, seconds) => measureCalls((value) => hub.call(value), seconds),
  };
}

function expectLoad<K extends Load["kind"]>(given: Load, kind: K): Extract<Load, { kind: K }> {
  if (given.kind !== kind) throw new Error(`this role takes a load of kind ${kind}, not ${given.kind}`);
  return given as Extract<Load, { kind: K }>; // the check above is what the type says
}
