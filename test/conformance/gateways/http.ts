/** HTTP: callers and publishers. Its workers are those of the gateway `jobs`. */
import { EVERY_SAMPLE, noVerb, type GatewayDriver } from "../../../src/testing/index.ts";
import { LintelError } from "../../../src/index.ts";
import { HttpClient, askByHttp, problemOf } from "./http-client.ts";
import { toTyped } from "../../../src/testing/index.ts";

const NO_WORKER = "HTTP callers take no requests: a worker over HTTP is one of the gateway jobs";
const NO_SUBSCRIBER = "HTTP has no subscriptions";
const NO_SERVICE = "an HTTP request leaves nothing behind that could enable something";

export const http: GatewayDriver = {
  name: "HTTP",
  supports: {
    request: true,
    serve: NO_WORKER,
    publish: true,
    subscribe: NO_SUBSCRIBER,
    enable: noVerb(NO_SERVICE),
    use: { request: true, publish: true, subscribe: NO_SUBSCRIBER },
    sends: EVERY_SAMPLE,
    answers: EVERY_SAMPLE,
    receives: EVERY_SAMPLE,
    isAnswered: EVERY_SAMPLE,
    headers: true,
    limitsTime: true,
    withdraws: true,
    seesTime: NO_WORKER,
    seesEnd: NO_WORKER,
    unsubscribes: NO_SUBSCRIBER,
    leaves: NO_WORKER,
    fails: [],
    isTold: ["code", "reason", "message"],
  },
  connect({ hub, keyOf }, role) {
    const client = new HttpClient(hub.httpUrl!, keyOf(role));
    return Promise.resolve({
      request: (subject, sent, timeoutMs) =>
        askByHttp(client, `/${subject.replaceAll(".", "/")}`, sent, timeoutMs),
      async publish(subject, { payload, headers }) {
        const { body, contentType } = toTyped(payload);
        const type = contentType === undefined ? {} : { "content-type": contentType };
        const path = `/publish/${subject.replaceAll(".", "/")}`;
        const answer = await client.call("POST", path, { ...headers, ...type }, body).answer;
        if (answer.status === 202) return;
        const { code, reason } = problemOf(answer.body);
        throw new LintelError("unknown", `${answer.status} ${code}`, { reason: reason! });
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    });
  },
};
