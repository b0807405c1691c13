import assert from "node:assert/strict";
import { RecordingSubscriber, textMessage } from "./actors.ts";
import type { Declare, Scene } from "./scene.ts";

/** E-21 to E-25 */
export function publications(scene: Declare): void {
  const publish = async ({ callers }: Scene, subject: string, text: string): Promise<void> =>
    callers.publish(callers.route(subject), textMessage(text));

  scene("E-23: a publication reaches every subscriber whose pattern matches, in order", async (given) => {
    const [exact, all] = [new RecordingSubscriber(), new RecordingSubscriber()];
    await given.workers.subscribe("news.rome", exact).ready;
    await given.workers.subscribe("news.>", all).ready;
    await publish(given, "news.rome", "1");
    await publish(given, "news.oslo.north", "2");
    await publish(given, "sport", "3");
    await publish(given, "news.rome", "4");
    await Promise.all([exact.until(() => exact.heard.length >= 2), all.until(() => all.heard.length >= 3)]);
    assert.deepEqual(exact.heard, ["news.rome 1", "news.rome 4"]);
    assert.deepEqual(all.heard, ["news.rome 1", "news.oslo.north 2", "news.rome 4"]);
  });

  scene("E-23: a subscriber with several patterns that match gets one copy", async (given) => {
    const subscriber = new RecordingSubscriber();
    const subscriptions = ["news.*", "news.>", "news.rome"].map((pattern) =>
      given.workers.subscribe(pattern, subscriber),
    );
    await Promise.all(subscriptions.map(({ ready }) => ready));
    await publish(given, "news.rome", "1");
    subscriptions[0]!.close();
    await publish(given, "news.rome", "2");
    await publish(given, "news.oslo.north", "3");
    await subscriber.until(() => subscriber.heard.includes("news.oslo.north 3"));
    assert.deepEqual(subscriber.heard, ["news.rome 1", "news.rome 2", "news.oslo.north 3"]);
  });

  scene("E-23: a subscription that was closed hears nothing more", async (given) => {
    const [closed, open] = [new RecordingSubscriber(), new RecordingSubscriber()];
    const subscription = given.workers.subscribe("news", closed);
    await Promise.all([subscription.ready, given.workers.subscribe("news", open).ready]);
    await publish(given, "news", "1");
    await closed.until(() => closed.heard.length === 1);
    subscription.close();
    subscription.close();
    await publish(given, "news", "2");
    await open.until(() => open.heard.length === 2);
    assert.deepEqual(closed.heard, ["news 1"]);
  });

  scene("E-21: closing a subscription, or its engine, is no end that `onEnded` hears of", async (given) => {
    let ends = 0;
    const onEnded = (): void => void ends++;
    const subscription = given.workers.subscribe("news", new RecordingSubscriber(), { onEnded });
    await subscription.ready;
    subscription.close();
    await given.workers.subscribe("news", new RecordingSubscriber(), { onEnded }).ready;
    await given.workers.close();
    assert.equal(ends, 0);
  });

  scene("E-25: a publication that nobody hears is no error", async (given) => {
    await publish(given, "nobody", "x");
    assert.equal(await given.caller.ask("nobody"), "NO_RESPONDERS");
  });

  scene("E-25: a promise to wait for resolves, also when the engine closes", async ({ callers }) => {
    const route = callers.route("news");
    const piece = textMessage("x".repeat(65_536));
    const promises: Promise<void>[] = [];
    for (let count = 0; count < 64 && promises.length === 0; count++) {
      const promise = callers.publish(route, piece);
      if (promise !== undefined) promises.push(promise);
    }
    await callers.close();
    await Promise.all(promises); // an engine that never asks to wait returns none
  });
}
