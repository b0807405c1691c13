/**
 * Workers that poll on raw sockets, and let them go at random. Writes down each job as soon as it is read, before anything is
 * done about it, and kills itself between two events, so that the book is exact.
 *
 *   node poller-process.js PORT SERVICE POLLERS BOOK SEED
 */
import { openSync, writeSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { seededRandom } from "./random.ts";

const [port = "", service = "", pollers = "", path = "", seed = ""] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const book = openSync(path, "a");

/** What a worker does, and how often. */
const HABITS = {
  /** Answers on the connection it has the job from. */
  stays: 0.3,
  /** The same, and asks for the next job with it. */
  asks: 0.3,
  /** Closes that connection, or resets it, and answers on another, as curl does with and without TLS. */
  returns: 0.2,
  /** Leaves before the answer to its poll has come, or as it comes. */
  leaves: 0.17,
  /** Drops a job that it has read. */
  drops: 0.03,
} as const;
/** Chance that a job that comes is the last that this process sees: it is killed a little later. */
const DEADLY = 0.002;

function habit(): keyof typeof HABITS {
  let rest = random();
  for (const [name, share] of Object.entries(HABITS)) {
    rest -= share;
    if (rest < 0) return name as keyof typeof HABITS;
  }
  return "stays";
}

/** One response, whole; undefined when the connection ends first. */
function respond(socket: Socket, request: string): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    let received = "";
    const over = (): void => {
      socket.removeAllListeners("data");
      resolve(undefined);
    };
    socket.once("close", over);
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (received.length < end + 4 + length) return;
      socket.off("close", over);
      socket.removeAllListeners("data");
      resolve({ status: Number(received.slice(9, 12)), body: received.slice(end + 4) });
    });
    socket.write(request);
  });
}

function open(): Socket {
  const socket = connect(Number(port), "127.0.0.1");
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  return socket;
}

/** Ends the connection in either way, whether or not a job was read from it: a reset says nothing about that. */
function leave(socket: Socket): void {
  const end = random() < 0.5 ? "resetAndDestroy" : "destroy";
  setTimeout(() => socket[end](), random() * 6);
}

async function work(): Promise<void> {
  const poll = "wait=2s&lease=1s";
  let socket = open();
  let said: { status: number; body: string } | undefined;
  for (;;) {
    if (socket.destroyed) socket = open();
    const does = habit();
    if (said === undefined) {
      if (does === "leaves") leave(socket);
      said = await respond(
        socket,
        `GET /service/${service}/jobs?${poll} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      );
    }
    const given = said;
    said = undefined;
    if (given?.status !== 200) continue;
    const { id, originalRequest } = JSON.parse(given.body) as { id: string; originalRequest: string };
    writeSync(book, `${originalRequest}\n`);
    if (random() < DEADLY) setTimeout(() => process.kill(process.pid, "SIGKILL"), random() * 10);
    if (does === "drops") continue;
    if (does === "returns") {
      if (random() < 0.5) socket.end();
      else socket.resetAndDestroy();
      socket = open();
    }
    const asks = does === "asks";
    if (asks && random() < HABITS.leaves) leave(socket);
    const target = asks ? `/jobs/${id}/response?next=1&${poll}` : `/jobs/${id}`;
    const head = `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${originalRequest.length}\r\n\r\n`;
    const answer = await respond(socket, head + originalRequest);
    if (asks) said = answer;
  }
}

for (let index = 0; index < Number(pollers); index++) void work();
