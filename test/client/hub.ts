import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("hub-process.js", import.meta.url));

interface Addresses {
  readonly http: string;
  readonly session: string;
}

/** A hub that can be killed, and started again where it was. */
export class KillableHub {
  readonly http: string;
  readonly session: string;
  readonly #origins: readonly string[];
  #process: ChildProcess;

  private constructor(process: ChildProcess, { http, session }: Addresses, origins: readonly string[]) {
    this.#process = process;
    this.http = http;
    this.session = session;
    this.#origins = origins;
  }

  static async start(origins: readonly string[]): Promise<KillableHub> {
    const { child, addresses } = await run("0", origins);
    return new KillableHub(child, addresses, origins);
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }

  async startAgain(): Promise<void> {
    const { child } = await run(new URL(this.http).port, this.#origins);
    this.#process = child;
  }

  /** What `curl -d VALUE` gets, with the value as JSON. */
  async post(path: string, value: unknown, signal?: AbortSignal): Promise<{ status: number; text: string }> {
    const response = await fetch(this.http + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(value),
      ...(signal === undefined ? {} : { signal }),
    });
    return { status: response.status, text: await response.text() };
  }
}

async function run(
  port: string,
  origins: readonly string[],
): Promise<{ child: ChildProcess; addresses: Addresses }> {
  // Room for all that a test sends: a busy machine's subscriber falls behind, and must not miss any.
  const limits = { sessionBuffer: 134_217_728 };
  const config = { http: { port: Number(port), origins }, listen: [], limits };
  const child = fork(PROGRAM, [JSON.stringify(config)]);
  const [addresses] = (await once(child, "message")) as [Addresses];
  return { child, addresses };
}
