/** Lines over sockets and over the pipes of a child process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { describe, test } from "node:test";
import type { CommandLine } from "../../src/commands/line.ts";
import { childLine, socketLine } from "../../src/commands/stream-line.ts";
import { Watched } from "../wire/watched.ts";

/** What a line has told. */
class Ears extends Watched {
  readonly #decoder = new StringDecoder();
  text = "";
  drains = 0;
  ended: { why: Error | undefined } | undefined;

  constructor(line: CommandLine) {
    super();
    line.open({
      data: (chunk) => {
        this.text += typeof chunk === "string" ? chunk : this.#decoder.write(Buffer.from(chunk));
        this.changed();
      },
      drained: () => {
        this.drains++;
        this.changed();
      },
      closed: (why) => {
        assert.equal(this.ended, undefined, "told twice");
        this.ended = { why };
        this.changed();
      },
    });
  }

  async end(): Promise<Error | undefined> {
    await this.until(() => this.ended !== undefined);
    return this.ended?.why;
  }
}

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const dialed = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [[socket]] = await Promise.all([accepted, once(dialed, "connect")]);
  server.close();
  return [dialed, socket];
}

describe("a line over a socket", () => {
  test("carries text both ways, and closes when what was sent is written", async () => {
    const lines = (await socketPair()).map((socket) => socketLine(socket, "tcp://there:1"));
    const ears = lines.map((line) => new Ears(line));
    const long = "é".repeat(500_000);
    lines[0]!.send("{}\n");
    assert.equal(lines[0]!.send(long), false);
    assert.ok(lines[0]!.buffered > 262_144);
    lines[0]!.close();
    assert.equal(await ears[1]!.end(), undefined);
    assert.equal(ears[1]!.text, `{}\n${long}`);
    assert.equal(await ears[0]!.end(), undefined);
    assert.equal(lines[0]!.send("too late"), true);
  });

  test("asks to wait when much is to be written, and tells when it is", async () => {
    const [one, other] = (await socketPair()).map((socket) => socketLine(socket, "tcp://there:1"));
    const [ears, others] = [new Ears(one!), new Ears(other!)];
    other!.read(false);
    const part = "x".repeat(100_000);
    let sent = 0;
    while (one!.send(part)) sent++;
    assert.equal(ears.drains, 0);
    other!.read(true);
    await ears.until(() => ears.drains === 1);
    await others.until(() => others.text.length === (sent + 1) * part.length);
    one!.abort();
    await Promise.all([ears.end(), others.end()]);
  });

  test("what is sent in one turn is written at once", async () => {
    const [dialed, accepted] = await socketPair();
    const line = socketLine(dialed, "tcp://there:1");
    const ears = new Ears(line);
    for (let count = 0; count < 100; count++) line.send("{}");
    const [chunk] = (await once(accepted, "data")) as [Buffer];
    assert.equal(chunk.length, 200);
    line.abort();
    await ears.end();
  });

  test("that has ended before it is opened tells so later", async () => {
    const [dialed, accepted] = await socketPair();
    const line = socketLine(dialed, "tcp://there:1");
    accepted.destroy();
    dialed.resume();
    await once(dialed, "close");
    assert.equal(await new Ears(line).end(), undefined);
  });
});

describe("a line over the pipes of a child", () => {
  const run = (program: string): CommandLine =>
    childLine(spawn(process.execPath, ["-e", program], { stdio: ["pipe", "pipe", "ignore"] }), "the child");

  test("carries text both ways, and ends when the child has exited", async () => {
    const line = run("process.stdin.pipe(process.stdout)");
    const ears = new Ears(line);
    line.send('{"action":"x"}\n');
    await ears.until(() => ears.text === '{"action":"x"}\n');
    line.close();
    assert.equal(await ears.end(), undefined);
  });

  test("says how the child has ended when it was not by itself", async () => {
    assert.match(String(await new Ears(run("process.exit(3)")).end()), /the child exited with status 3/);
    const line = run("setInterval(() => undefined, 1000)");
    const ears = new Ears(line);
    line.abort();
    assert.match(String(await ears.end()), /the child was ended by SIGKILL/);
  });

  test("a child that reads nothing any more harms nobody", async () => {
    const line = run(
      "process.stdin.destroy(); process.stdout.write('ready'); setTimeout(() => undefined, 50)",
    );
    const ears = new Ears(line);
    await ears.until(() => ears.text === "ready");
    line.send("x".repeat(1_000_000));
    assert.equal(await ears.end(), undefined);
  });

  test("streams that are no pipes are refused", () => {
    const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    assert.throws(() => childLine(child, "the child"), { name: "TypeError", message: /must be pipes/ });
  });
});
