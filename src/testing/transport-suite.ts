/** What every transport must do. Gated by its `supports` manifest, never by its name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Connection, Bypass, BypassHandler } from "../transport/transport.ts";
import { ByteEnd } from "./byte-end.ts";
import { openPair, withPair, type TransportSuiteOptions } from "./transport-pair.ts";

const MEBIBYTE = 1_048_576;
const CHUNK = 65_536;

/** Declares the suite for one transport, as tests of `node:test`. */
export function transportSuite(name: string, options: TransportSuiteOptions): void {
  describe(`transport ${name}`, () => {
    listening(options);
    carrying(options);
    ending(options);
    bypasses(options);
  });
}

function listening(options: TransportSuiteOptions): void {
  const { transport, freshUrl } = options;

  test("has a manifest that makes sense", () => {
    const { supports, scheme } = transport;
    assert.match(scheme, /^[a-z][a-z0-9+.-]*$/);
    assert.ok(!(supports.inProcess && supports.remote), "what stays in the process reaches no other machine");
  });

  test("a listener's URL can be dialed and names the scheme", async () => {
    await withPair(options, async ({ listener, dialed, accepted }) => {
      assert.ok(listener.url.startsWith(`${transport.scheme}:`));
      assert.notEqual(dialed.connection.remote, "");
      assert.notEqual(accepted.connection.remote, "");
      await Promise.resolve();
    });
  });

  test("dialing where nobody listens rejects", async () => {
    await assert.rejects(transport.dial(await unusedUrl(options)), Error);
  });

  test("dialing with a signal that has fired rejects", async () => {
    const listener = await transport.listen(await freshUrl(), (connection) => void new ByteEnd(connection));
    await assert.rejects(transport.dial(listener.url, { signal: AbortSignal.abort() }), Error);
    await listener.close();
  });

  test("listening twice on one URL rejects, and the first listener is none the worse", async () => {
    await withPair(options, async ({ listener }) => {
      await assert.rejects(
        transport.listen(listener.url, () => assert.fail("nobody dials this one")),
        Error,
      );
      (await transport.dial(listener.url)).abort();
    });
  });

  test("a listener that closes resolves at once, accepts nothing new and lets connections be", async () => {
    await withPair(options, async ({ listener, dialed, accepted }) => {
      await listener.close();
      await listener.close();
      await assert.rejects(transport.dial(listener.url), Error);
      dialed.connection.send(Buffer.from("still here"));
      await accepted.until(() => accepted.length === 10);
    });
  });

  test("a URL is free again when its listener has closed", async () => {
    const url = await unusedUrl(options);
    const second = await transport.listen(url, (connection) => void new ByteEnd(connection));
    (await transport.dial(second.url)).abort();
    await second.close();
  });
}

/** A URL that was listened on a moment ago, and is not any more. */
async function unusedUrl({ transport, freshUrl }: TransportSuiteOptions): Promise<string> {
  const listener = await transport.listen(await freshUrl(), (connection) => connection.abort());
  await listener.close();
  return listener.url;
}

function carrying(options: TransportSuiteOptions): void {
  test("bytes arrive in order, both ways, never before the call that sends them returns", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      for (const [from, to] of [
        [dialed, accepted],
        [accepted, dialed],
      ] as const) {
        for (let index = 0; index < 200; index++) from.connection.send(Buffer.from(`${index};`));
        assert.equal(to.length, 0);
        const expected = Array.from({ length: 200 }, (_, index) => `${index};`).join("");
        await to.until(() => to.length === expected.length);
        assert.equal(to.bytes().toString(), expected);
      }
    });
  });

  test("1 MiB goes both ways at the same time", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      const pattern = (seed: number) => Buffer.alloc(MEBIBYTE, Buffer.from([seed, 1, 2, 3, 5, 7, 11]));
      await Promise.all([dialed.sendAll(pattern(1), CHUNK), accepted.sendAll(pattern(2), CHUNK)]);
      await Promise.all([dialed, accepted].map((end) => end.until(() => end.length === MEBIBYTE)));
      assert.ok(accepted.bytes().equals(pattern(1)));
      assert.ok(dialed.bytes().equals(pattern(2)));
    });
  });

  test("bytes that were handed over are not written to again", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      for (let index = 0; index < 50; index++) {
        await dialed.sendAll(Buffer.alloc(1_000, index), 1_000);
        await accepted.until(() => accepted.length === (index + 1) * 1_000);
      }
      // Kept as they came, and looked at only now.
      const bytes = accepted.bytes();
      for (let index = 0; index < 50; index++) assert.equal(bytes[index * 1_000 + 999], index);
    });
  });

  test("after `true` the buffer may be reused", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      const buffer = Buffer.alloc(100);
      for (let index = 0; index < 100; index++) {
        buffer.fill(index);
        if (!dialed.connection.send(buffer)) await dialed.drain();
      }
      await accepted.until(() => accepted.length === 10_000);
      for (let index = 0; index < 100; index++) assert.equal(accepted.bytes()[index * 100 + 50], index);
    });
  });

  test("`send` says false when the other end does not read, and `drained` follows when it does", async () => {
    const { listener, dialed, accepted } = await openPair(options, true);
    const chunk = Buffer.alloc(CHUNK, 7);
    let sent = 0;
    let full = false;
    while (!full && sent < 64 * MEBIBYTE) {
      sent += chunk.length;
      full = !accepted.connection.send(chunk);
    }
    assert.ok(full, "64 MiB nobody reads were taken without a word");
    assert.equal(accepted.drainedCount, 0);
    const { unsent } = accepted.connection;
    assert.ok(unsent === undefined || (unsent > 0 && unsent <= sent), `${unsent} of ${sent} are unsent`);
    dialed.listen();
    await accepted.drain();
    await dialed.until(() => dialed.length === sent);
    assert.ok((accepted.connection.unsent ?? 0) === 0, "everything was taken");
    assert.equal(accepted.connection.send(Buffer.from("x")), true, "there is room again");
    dialed.connection.abort();
    accepted.connection.abort();
    await listener.close();
  });

  test("what is lent arrives as it was, though a buffer that is free again is written to", async (t) => {
    await withPair(options, async ({ dialed, accepted }) => {
      const { connection } = accepted;
      if (connection.lend === undefined) return t.skip("the transport copies nothing");
      const free: Buffer[] = [];
      const expected: Buffer[] = [];
      let freed = 0;
      for (let round = 0; round < 64; round++) {
        const buffer = (free.pop() ?? Buffer.alloc(CHUNK)).fill(round);
        expected.push(Buffer.from(buffer));
        if (connection.lend(buffer, () => (freed = free.push(buffer)))) continue;
        await accepted.drain();
        free.push(buffer);
      }
      await dialed.until(() => dialed.length === 64 * CHUNK);
      assert.ok(dialed.bytes().equals(Buffer.concat(expected)));
      return assert.ok(freed > 0, "no buffer was freed");
    });
  });

  test("an accepted connection that is not read holds the other end back, and goes on where it was", async (t) => {
    await withPair(options, async ({ dialed, accepted }) => {
      const { connection } = accepted;
      if (connection.read === undefined) return t.skip("the transport cannot hold the other end back");
      await dialed.sendAll(Buffer.from("first"), CHUNK);
      await accepted.until(() => accepted.length === 5);
      connection.read(false);
      const bytes = Buffer.alloc(16 * MEBIBYTE, Buffer.from([1, 2, 3, 5, 7, 11, 13]));
      const sending = dialed.sendAll(bytes, CHUNK);
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(accepted.length < 4 * MEBIBYTE, `${accepted.length} bytes came all the same`);
      connection.read(true);
      await sending;
      await accepted.until(() => accepted.length === 5 + bytes.length);
      return assert.ok(accepted.bytes().subarray(5).equals(bytes));
    });
  });
}

function ending(options: TransportSuiteOptions): void {
  test("`close` sends what was sent before, then ends both ends once", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      const bytes = Buffer.alloc(200_000, 3);
      dialed.connection.send(bytes);
      dialed.connection.close();
      await Promise.all([dialed.over(), accepted.over()]);
      assert.equal(accepted.length, bytes.length);
      await closedOnce(dialed, accepted);
    });
  });

  test("what is sent and closed from within `drained` arrives", async () => {
    const { listener, dialed, accepted } = await openPair(options, true);
    let sent = 0;
    const fill = (): boolean => {
      sent += CHUNK;
      return accepted.connection.send(Buffer.alloc(CHUNK, 7));
    };
    while (fill());
    accepted.onDrained = () => {
      accepted.onDrained = () => undefined;
      fill();
      accepted.connection.close();
    };
    dialed.listen();
    await Promise.all([dialed.over(), accepted.over()]);
    assert.equal(dialed.length, sent);
    await closedOnce(dialed, accepted);
    await listener.close();
  });

  test("`abort` ends both ends once", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      accepted.connection.abort();
      await Promise.all([dialed.over(), accepted.over()]);
      await closedOnce(dialed, accepted);
    });
  });

  test("both ends may close at the same time, and close or abort again", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      for (const { connection } of [dialed, accepted]) connection.close();
      for (const { connection } of [dialed, accepted]) connection.close();
      await Promise.all([dialed.over(), accepted.over()]);
      for (const { connection } of [dialed, accepted]) connection.abort();
      await closedOnce(dialed, accepted);
    });
  });

  test("sending on a connection that is over is no error and never asks to wait", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      dialed.connection.abort();
      await Promise.all([dialed.over(), accepted.over()]);
      for (const { connection } of [dialed, accepted])
        assert.equal(connection.send(Buffer.alloc(MEBIBYTE)), true);
      await closedOnce(dialed, accepted);
    });
  });

  test("an end that closes while the other sends: nothing is thrown, both are over", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      for (let index = 0; index < 20; index++) dialed.connection.send(Buffer.alloc(CHUNK));
      accepted.connection.abort();
      await Promise.all([dialed.over(), accepted.over()]);
      await closedOnce(dialed, accepted);
    });
  });

  test("a connection that ended before it was opened says so when it is", async () => {
    const { transport, freshUrl } = options;
    let accepted: Connection | undefined;
    const listener = await transport.listen(await freshUrl(), (connection) => {
      accepted = connection;
      new ByteEnd(connection).connection.abort();
    });
    const connection = await transport.dial(listener.url);
    while (accepted === undefined) await nextTurn();
    connection.abort();
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    await new ByteEnd(connection).over();
    await listener.close();
  });
}

/** One end of a bypass. */
class BypassEnd implements BypassHandler {
  received = 0;
  drainedCount = 0;
  closedCount = 0;

  data(bytes: Uint8Array): void {
    this.received += bytes.length;
  }

  drained(): void {
    this.drainedCount++;
  }

  closed(): void {
    this.closedCount++;
  }
}

function bypasses(options: TransportSuiteOptions): void {
  const { supports } = options.transport;

  test("connections have bypasses where the manifest says so", async () => {
    await withPair(options, async ({ dialed, accepted }) => {
      for (const { connection } of [dialed, accepted])
        assert.equal(connection.bypasses !== undefined, supports.bypasses);
      await Promise.resolve();
    });
  });

  const skip = supports.bypasses ? false : "the transport has no bypasses";
  for (const sends of [true, false]) {
    test(
      `a bypass ${sends ? "up" : "down"}: nothing before it is read, then all, then its end`,
      { skip },
      async () => {
        await withPair(options, async ({ dialed, accepted }) => {
          const [here, there] = [new BypassEnd(), new BypassEnd()];
          let far: Bypass | undefined;
          accepted.connection.bypasses!.accept((number, itSends, bypass) => {
            assert.deepEqual([number, itSends], [7, !sends]);
            far = bypass;
            bypass.open(there);
            return true;
          });
          const near = await openBypass(dialed.connection, 7, sends);
          near.open(here);
          const [from, sender, to, receiver] = sends ? [near, here, far!, there] : [far!, there, near, here];
          let sent = 0;
          do sent += CHUNK;
          while (from.send(Buffer.alloc(CHUNK)) || sent < MEBIBYTE);
          for (let turn = 0; turn < 20; turn++) await nextTurn();
          assert.equal(receiver.received, 0);
          assert.equal(sender.drainedCount, 0);
          to.read(true);
          while (receiver.received < sent || sender.drainedCount === 0) await nextTurn();
          to.read(false);
          from.send(Buffer.alloc(CHUNK));
          sent += CHUNK;
          from.end();
          for (let turn = 0; turn < 20; turn++) await nextTurn();
          assert.equal(sender.closedCount, 0, "something has not been read");
          to.read(true);
          while (here.closedCount + there.closedCount < 2) await nextTurn();
          assert.equal(receiver.received, sent);
        });
      },
    );
  }

  test(
    "a bypass is lost with its connection, when it is aborted, and when it is not taken",
    { skip },
    async () => {
      await withPair(options, async ({ dialed, accepted }) => {
        const ends: BypassEnd[] = [];
        accepted.connection.bypasses!.accept((number, _sends, bypass) => {
          if (number > 2) return false;
          bypass.open(ends[ends.push(new BypassEnd()) - 1]!);
          return true;
        });
        for (const number of [1, 2]) {
          const near = await openBypass(dialed.connection, number, true);
          near.open(ends[ends.push(new BypassEnd()) - 1]!);
          near.send(Buffer.alloc(CHUNK));
          if (number === 1) near.abort();
          else dialed.connection.bypasses!.request(3, true, (bypass) => assert.equal(bypass, undefined));
          while (number === 1 && ends.some(({ closedCount }) => closedCount === 0)) await nextTurn();
        }
        accepted.connection.abort();
        while (ends.some(({ closedCount }) => closedCount === 0)) await nextTurn();
        assert.deepEqual(
          ends.map(({ closedCount }) => closedCount),
          [1, 1, 1, 1],
        );
        dialed.connection.bypasses!.request(4, true, (bypass) => assert.equal(bypass, undefined));
      });
    },
  );
}

/** What makes bypasses possible may come a little after the connection: it is asked for until there is one. */
async function openBypass({ bypasses: all }: Connection, number: number, sends: boolean): Promise<Bypass> {
  for (;;) {
    const bypass = await new Promise<Bypass | undefined>((resolve) => all!.request(number, sends, resolve));
    if (bypass !== undefined) return bypass;
    await nextTurn();
  }
}

async function closedOnce(...ends: ByteEnd[]): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  for (const end of ends) assert.equal(end.closedCount, 1);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
