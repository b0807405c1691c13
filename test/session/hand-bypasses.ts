import assert from "node:assert/strict";
import type { Bypass, BypassHandler, Bypasses } from "../../src/transport/transport.ts";

/** A bypass whose other end is the test. */
export class HandBypass implements Bypass {
  handler: BypassHandler | undefined;
  sent = 0;
  isFull = false;
  going = false;
  state: "open" | "ended" | "aborted" = "open";

  open(handler: BypassHandler): void {
    assert.equal(this.handler, undefined);
    this.handler = handler;
  }

  send(bytes: Uint8Array): boolean {
    this.sent += bytes.length;
    return !this.isFull;
  }

  end(): void {
    this.state = "ended";
  }

  read(going: boolean): void {
    this.going = going;
  }

  abort(): void {
    if (this.state === "aborted") return;
    this.state = "aborted";
    this.handler?.closed();
  }

  /** Bytes come, as many as the session reads. */
  arrive(size: number): void {
    assert.ok(this.going, "nobody reads");
    this.handler!.data(new Uint8Array(size));
  }
}

/** The bypasses of a connection, opened by the test. */
export class HandBypasses implements Bypasses {
  readonly limit = 5;
  readonly asked: { number: number; sends: boolean; opened: (bypass: Bypass | undefined) => void }[] = [];
  onBypass: (number: number, sends: boolean, bypass: Bypass) => boolean = () =>
    assert.fail("nobody takes bypasses");

  request(number: number, sends: boolean, opened: (bypass: Bypass | undefined) => void): void {
    this.asked.push({ number, sends, opened });
  }

  accept(onBypass: HandBypasses["onBypass"]): void {
    this.onBypass = onBypass;
  }
}
