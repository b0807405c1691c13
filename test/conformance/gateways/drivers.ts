/** One driver for each gateway. */
import type { GatewayDriver } from "../../../src/testing/index.ts";
import { canPassDescriptors } from "../../../src/transport/descriptors/libc.ts";
import { OriginalPeer } from "../../gateway/beam/original-peer.ts";
import { beam } from "./beam.ts";
import { commands, drs } from "./commands.ts";
import { grpc } from "./grpc.ts";
import { http } from "./http.ts";
import { jobs } from "./jobs.ts";
import { native } from "./native.ts";
import { text } from "./text.ts";

/** The processes that programs of the drivers need. */
export class Drivers implements AsyncDisposable {
  #original: OriginalPeer | undefined;

  /** All of them, and those that can be tried on this machine. */
  readonly all: readonly GatewayDriver[] = [
    http,
    jobs,
    native,
    grpc,
    beam(() => (this.#original ??= new OriginalPeer())),
    text,
    commands,
    drs,
  ];
  readonly here: readonly GatewayDriver[] = this.all.filter(
    ({ name }) => name !== "beam" || canPassDescriptors(),
  );

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#original?.kill();
  }
}
