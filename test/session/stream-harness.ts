/** Sessions whose other end writes frames of streams by hand. */
import assert from "node:assert/strict";
import type { Failure } from "../../src/message/failure.ts";
import { Message, type StreamEnd, type StreamEvents } from "../../src/message/message.ts";
import { FrameType } from "../../src/wire/frame.ts";
import { bindBytes, frameBytes, sayings, timeoutPrefix, type FrameParts } from "../wire/frame-bytes.ts";
import { openHarness, settled, type Harness, type HarnessOptions } from "./harness.ts";

export const GREETING = { "max-payload": "1000", "max-headers": "16384", "max-streams": "10" };
const BOTH_WAYS = 3;
export const CHANNEL = 7;

export function open(target: number, aux = BOTH_WAYS): Buffer {
  return frameBytes({ type: FrameType.open, target, aux });
}

/** A request that takes the streams opened before. */
export function taking(id: number, flags = 4): Buffer {
  return frameBytes({ type: FrameType.request, target: 1, id, flags, body: timeoutPrefix(1_000) });
}

export function data(target: number, body: string | Uint8Array, parts: Partial<FrameParts> = {}): Buffer {
  return frameBytes({ type: FrameType.data, flags: 1, target, body, ...parts });
}

export function control(type: number, target: number, id = 0): Buffer {
  return frameBytes({ type, target, id });
}

/** A session that accepted, and at the other end bytes by hand. */
export async function harnessOf(options: HarnessOptions = {}, ...sent: Buffer[]): Promise<Harness> {
  const harness = await openHarness({ greeting: GREETING, ...options });
  harness.raw.send(bindBytes(1, "a"), ...sent);
  await settled();
  return harness;
}

export function carrying(...streams: StreamEnd[]): Message {
  const message = Message.ofBytes(new Uint8Array(1));
  message.streams = streams;
  return message;
}

export async function closesWith(harness: Harness, reason: string, ...sent: Buffer[]): Promise<void> {
  harness.raw.send(...sent);
  assert.equal(sayings(await harness.raw.next(FrameType.close))["reason"], reason);
  assert.equal(harness.session.streams.size, 0);
}

/** A holder of an end who cares for nothing but what is given. */
export function holder(events: Partial<StreamEvents>): StreamEvents {
  return {
    data: () => undefined,
    ended: () => undefined,
    granted: () => undefined,
    ready: () => true,
    writable: () => undefined,
    reset: (_why: Failure) => undefined,
    ...events,
  };
}
