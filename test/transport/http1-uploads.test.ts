/** What the dialing end of the HTTP/1 fallback does when uploads go wrong: F-20, F-23, F-24. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Uploads, type UploadAnswer } from "../../src/transport/http1/uploads.ts";
import { Watched } from "../wire/watched.ts";

type Step = (bytes: Uint8Array, offset: number) => UploadAnswer;

/** An other end that does what it is told, one step for each upload, then takes everything. */
class Script extends Watched {
  readonly seen: string[] = [];
  taken = "";
  drained = 0;
  failed: Error | undefined;
  readonly uploads: Uploads;

  constructor(...steps: Step[]) {
    super();
    this.uploads = new Uploads({
      upload: async (chunks, size, offset) => {
        await Promise.resolve();
        const bytes = Buffer.concat(chunks);
        assert.equal(bytes.length, size);
        this.seen.push(`${offset}+${bytes.length}`);
        const answer = (steps.shift() ?? this.take)(bytes, offset);
        this.changed();
        return answer;
      },
      drained: () => {
        this.drained++;
        this.changed();
      },
      failed: (error) => {
        this.failed = error;
        this.changed();
      },
    });
  }

  /** As many of the bytes as are said. */
  readonly takeSome =
    (count: number, status: number): Step =>
    (bytes, offset) => {
      assert.equal(offset, this.taken.length, "bytes were lost or doubled");
      this.taken += Buffer.from(bytes.subarray(0, count)).toString();
      return { status, received: this.taken.length };
    };

  readonly take: Step = (bytes, offset) => this.takeSome(bytes.length, 204)(bytes, offset);
}

const cutOff: Step = () => {
  throw new Error("ECONNRESET");
};

test("what gathers while an upload is under way goes into the next", async () => {
  const script = new Script();
  for (const word of ["a", "b", "c", "d"]) assert.equal(script.uploads.send(Buffer.from(word)), true);
  await script.until(() => script.taken === "abcd");
  assert.deepEqual(script.seen, ["0+1", "1+3"]);
});

test("no answer, or that of a proxy that has none: once more, from where it belongs", async () => {
  const script = new Script(cutOff, () => ({ status: 502, received: NaN }));
  script.uploads.send(Buffer.from("hello"));
  await script.until(() => script.taken === "hello");
  assert.deepEqual(script.seen, ["0+5", "0+5", "0+5"]);
});

test("an upload of which a part arrived, and one whose answer was lost, are not doubled", async () => {
  const script = new Script();
  const lost: Step = (bytes, offset) => {
    script.take(bytes, offset);
    return cutOff(bytes, offset);
  };
  const replayed: Step = () => ({ status: 409, received: script.taken.length });
  const steps = [script.takeSome(2, 409), lost, replayed];
  const second = new Script(...steps);
  second.uploads.send(Buffer.from("hello"));
  await second.until(() => second.seen.length === 3);
  second.uploads.send(Buffer.from(" world"));
  script.uploads.stop();
  assert.equal(script.taken, "hello");
  assert.deepEqual(second.seen.slice(0, 3), ["0+5", "2+3", "2+3"]);
  assert.equal(second.failed, undefined);
});

test("three times without progress, a refusal, or bytes the other end cannot have: failed", async () => {
  const bad =
    (status: number, received: number): Step =>
    () => ({ status, received });
  for (const steps of [[cutOff, cutOff, cutOff], [bad(404, NaN)], [bad(409, 99)], [bad(204, -1)]]) {
    const script = new Script(...steps);
    script.uploads.send(Buffer.from("hello"));
    await script.until(() => script.failed !== undefined);
    assert.equal(script.seen.length, steps.length);
    assert.equal(script.drained, 0);
  }
});

test("much at once is split, and `drained` follows when all of it has been taken", async () => {
  const script = new Script();
  assert.equal(script.uploads.send(Buffer.alloc(1_200_000, "x")), false);
  await script.until(() => script.drained === 1);
  assert.deepEqual(script.seen, ["0+524288", "524288+524288", "1048576+151424"]);
  assert.equal(script.taken.length, 1_200_000);
  assert.equal(script.uploads.send(Buffer.from("y")), true);
});
