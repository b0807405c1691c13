/** One target of the text gateway, everybody that a command about it could have an effect on, and what the effects were. */
import { createHub, connect, LintelError, type EnabledVerb, type Hub } from "../../../src/index.ts";
import { subjectOf } from "../../../src/message/foreign-name.ts";
import { until } from "../../house/until.ts";
import { RawClient } from "../commands/raw-client.ts";
import { CLIENT, KEYS, RawText, SERVICE, frame, keyOf, parse } from "./raw-text.ts";

/** What a command can bring about. `allowed`: something is enabled for clients that was not. */
export type Effect =
  | "published"
  | "subscribed"
  | "requested"
  | "answered"
  | "responds"
  | "allowed publish"
  | "allowed subscribe"
  | "allowed request"
  | "user set";

export const COMMANDS = ["PUB", "SUB", "REQ", "RES", "EREQ", "EPUB", "ESUB", "INT"] as const;
export type Command = (typeof COMMANDS)[number];

export { CLIENT, OBSERVER, SERVICE } from "./raw-text.ts";

/** How long a request may take that its responder does not answer. Milliseconds. */
const SHORT_MS = 30;

/** A key of a client that may do all of it by its grants, below this target only. */
export const GRANTED = "granted";
const GRANTED_TARGET = "granted";

export function openHub(): Promise<Hub> {
  const grants = Object.fromEntries(
    ["request", "publish", "subscribe", "serve"].map((verb) => [verb, [GRANTED_TARGET]]),
  );
  return createHub({
    http: false,
    listen: ["tcp://127.0.0.1:0"],
    text: 0,
    commands: "tcp://127.0.0.1:0",
    access: { keys: [...KEYS, keyOf(GRANTED, "client", { grants })] },
    onError: () => undefined,
  });
}

/** The target of each test. Most are none of the subjects that they have. */
export function targetOf(key: string, number: number): string {
  return key === GRANTED ? GRANTED_TARGET : `Room ${number}: a.b*`;
}

export class Target implements AsyncDisposable {
  readonly target: string;
  readonly subject: string;
  readonly #hub: Hub;
  readonly #command: Command;
  readonly #open: AsyncDisposable[] = [];
  readonly #published: string[] = [];
  #executed = 0;
  #count = 0;
  /** Tries what is not allowed. */
  #client!: RawText;
  /** Another with a client's key: what it may do was enabled. */
  #bystander!: RawText;
  /** Holds a request, and has a user. */
  #service!: RawText;
  #rid = "";
  #isAnswered = false;
  /** What other clients may do before anything is tried: a responder has enabled it. */
  #allowedBefore: readonly Effect[] = [];

  private constructor(hub: Hub, target: string, command: Command) {
    this.#hub = hub;
    this.target = target;
    this.subject = subjectOf(target)!;
    this.#command = command;
  }

  /** `key` is that of the client. */
  static async open(hub: Hub, target: string, command: Command, key: string): Promise<Target> {
    const scene = new Target(hub, target, command);
    scene.#client = await scene.text(key);
    scene.#bystander = await scene.text(CLIENT);
    scene.#service = await scene.text(SERVICE);
    scene.#open.push(
      await hub.subscribe(scene.subject, (value) => void scene.#published.push(String(value))),
    );
    // A request is answered by the hub, unless the command could make somebody a responder.
    if (command === "REQ" || command === "PUB" || command === "SUB")
      scene.#open.push(await hub.serve(scene.subject, () => String(++scene.#executed)));
    if (command === "RES") await scene.#holdRequest();
    scene.#allowedBefore = await scene.#allowed();
    return scene;
  }

  /** Sends the command as the client, and resolves with what came of it, and what the client was told. */
  async attempt(): Promise<{ readonly effects: readonly Effect[]; readonly told: readonly string[] }> {
    const marker = `attempt ${++this.#count}`;
    const executed = this.#executed;
    this.#client.send(this.#frameOf(marker));
    const told = await this.#client.settled();
    const effects: Effect[] = [];
    if (this.#published.includes(marker)) effects.push("published");
    if (this.#executed > executed) effects.push("requested");
    if (this.#isAnswered) effects.push("answered");
    if (await this.#subscribed(this.#client)) effects.push("subscribed");
    if (await this.#isServed()) effects.push("responds");
    const allowed = await this.#allowed();
    effects.push(...allowed.filter((one) => !this.#allowedBefore.includes(one)));
    if ((await this.#user()) !== "") effects.push("user set");
    return { effects, told: told.filter((text) => text.startsWith("PUB ERROR")) };
  }

  /** The responder that holds the request answers it. Resolves when its requester has the answer. */
  async answer(): Promise<void> {
    this.#service.send(frame(`RES ${this.target}`, [`rid: ${this.#rid}`], "done"));
    await until(() => this.#isAnswered, "the answer");
  }

  async text(key: string): Promise<RawText> {
    const connection = await RawText.open(this.#hub.textUrl!, key);
    this.#open.push(connection);
    return connection;
  }

  /** A service of each gateway that can enable something, by its own means. Resolves with what ends it. */
  async enable(by: string, verb: EnabledVerb): Promise<() => Promise<void>> {
    if (by === "hub" || by === "native") {
      const peer =
        by === "hub"
          ? this.#hub
          : await connect(this.#hub.urls[0]!, { token: SERVICE, onError: () => undefined });
      const made = await peer.enable(verb, this.subject);
      return () => (by === "hub" ? made.close() : peer.close());
    }
    if (by === "commands") {
      const client = await RawClient.open(this.#hub.commandsUrls[0]!);
      await client.call("auth.upgrade", SERVICE);
      await client.call("lintel.enable", { verb, pattern: this.subject });
      return () => client[Symbol.asyncDispose]();
    }
    const service = await this.text(SERVICE);
    service.send(frame(`${by} ${this.target}`));
    await service.settled();
    // One that has registered answers as the hub does.
    service.socket.on("message", (data: Buffer) => {
      const text = data.toString();
      if (!text.startsWith("REQ ")) return;
      this.#executed++;
      const rid = parse(text).headers.find((line) => line.startsWith("rid:"))!;
      service.send(frame(`RES ${this.target}`, [rid], "done"));
    });
    return () => service.close();
  }

  /** Resolves when clients may do it no longer: a connection that was cut is noticed a little later. */
  async ended(isOver: () => Promise<boolean>): Promise<void> {
    await until(isOver, "the end of what was enabled");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open.toReversed()) await one[Symbol.asyncDispose]();
  }

  #frameOf(marker: string): string {
    switch (this.#command) {
      case "RES":
        return frame(`RES ${this.target}`, [`rid: ${this.#rid}`], "forged");
      case "INT":
        return frame("INT UID", [`forcid: ${this.#service.guid}`, "setuid: root"]);
      default:
        return frame(`${this.#command} ${this.target}`, [`ReqID: ${marker}`], marker);
    }
  }

  async #holdRequest(): Promise<void> {
    this.#service.send(frame(`EREQ ${this.target}`));
    await this.#service.settled();
    const asked = this.#hub.request(this.subject, "held", { timeoutMs: 60_000 });
    void asked.then(
      () => (this.#isAnswered = true),
      () => undefined,
    );
    const { headers } = await this.#service.message();
    this.#rid = headers.find((line) => line.startsWith("rid:"))!.slice(4);
  }

  /** True when the connection gets what is published. */
  async #subscribed(connection: RawText): Promise<boolean> {
    const probe = `probe ${++this.#count}`;
    await this.#hub.publish(this.subject, probe);
    return (await connection.settled()).some((text) => text.includes(probe));
  }

  /** True when somebody serves the target who was not there. */
  async #isServed(): Promise<boolean> {
    if (this.#command !== "EREQ" && this.#command !== "EPUB" && this.#command !== "ESUB") return false;
    const outcome = this.#hub.request(this.subject, "probe", { timeoutMs: SHORT_MS });
    return outcome.then(
      () => true,
      (error: unknown) => error instanceof LintelError && error.reason !== "NO_RESPONDERS",
    );
  }

  /** What another client may do. */
  async #allowed(): Promise<Effect[]> {
    const probe = `bystander ${++this.#count}`;
    const { target } = this;
    for (const command of ["PUB", "SUB"]) this.#bystander.send(frame(`${command} ${target}`, [], probe));
    this.#bystander.send(frame(`REQ ${target}`, [`Timeout: ${SHORT_MS}ms`, `ReqID: ${probe}`]));
    const told = await this.#bystander.settled();
    const isRefused = (command: string): boolean =>
      told.some((text) => text.startsWith("PUB ERROR") && text.includes(`Not trusted ${command} ${target}`));
    const effects: Effect[] = [];
    if (this.#published.includes(probe)) effects.push("allowed publish");
    if (await this.#subscribed(this.#bystander)) effects.push("allowed subscribe");
    if (!isRefused("REQ")) effects.push("allowed request");
    this.#bystander.send(frame(`UNS ${target}`));
    await this.#bystander.settled();
    return effects;
  }

  /** The user of the service's connection, as another one sees it. */
  async #user(): Promise<string> {
    const channel = `who ${this.target}`;
    this.#service.send(frame(`SUB ${channel}`));
    this.#service.send(frame(`PUB ${channel}`));
    const heard = (await this.#service.settled()).find((text) => text.startsWith(`PUB ${channel}`))!;
    return parse(heard)
      .headers.find((line) => line.startsWith("uid:"))!
      .slice(4);
  }
}
