/** Somebody at the text gateway. */
import type { Verb } from "../../src/access/access.ts";
import { RawText, frame, parse } from "../gateway/text/raw-text.ts";
import { until } from "../house/until.ts";
import type { Attempt, Client, Outcome, Scene } from "./clients.ts";

/** Its text is how the connection was closed. */
class Refused extends Error {
  override toString(): string {
    return this.message;
  }
}

/** Rejects with how it is closed. */
export async function overText({ hub }: Scene, { token, prefix }: Attempt): Promise<Client> {
  const client = await RawText.dial(hub.textUrl!, token ?? "");
  await until(() => client.heard.length === 2 || client.closed !== undefined, "the greeting");
  if (client.closed !== undefined) throw new Refused(`closed ${client.closed.code}`);
  client.heard.length = 0;
  const frames: Partial<Record<Verb, string>> = {
    request: frame(`REQ ${prefix}.a`, ["ReqID: 1"]),
    publish: frame(`PUB ${prefix}.c`),
    subscribe: frame(`SUB ${prefix}.x`),
    serve: frame(`EREQ ${prefix}.b`),
  };
  return {
    async attempt(verb) {
      client.send(frames[verb]!);
      if (verb === "request") return outcomeOf(await client.next());
      const heard = await client.settled(); // it has no answer
      return outcomeOf(heard.find((text) => text.startsWith("PUB ERROR")));
    },
    async close() {
      const { connections } = hub.stats().gateways["text"]!;
      await client.close();
      await until(() => hub.stats().gateways["text"]!["connections"]! < connections!, "the end");
    },
  };
}

function outcomeOf(heard: string | undefined): Outcome {
  if (heard === undefined) return "ok";
  const { first, headers } = parse(heard);
  if (first !== "PUB ERROR") return "ok";
  return headers.find((line) => line.startsWith("reason:"))?.slice(7) ?? heard;
}
