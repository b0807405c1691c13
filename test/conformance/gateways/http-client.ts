/** A program that speaks HTTP with `node:http`, which sends what it is told and nothing else. */
import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import type { Asked, FailureSeen, Headers, GatewayOutcome, Sent } from "../../../src/testing/index.ts";
import { fromTyped, toTyped } from "../../../src/testing/index.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface HttpCall {
  /** Rejects when it is aborted, or its connection is lost. */
  readonly answer: Promise<HttpAnswer>;
  readonly abort: () => void;
}

export class HttpClient implements AsyncDisposable {
  readonly #url: string;
  readonly #key: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  call(method: string, path: string, headers: Headers = {}, body: Uint8Array = Buffer.alloc(0)): HttpCall {
    const authorization = `Bearer ${this.#key}`;
    const asked = request(this.#url + path, {
      method,
      agent: this.#agent,
      headers: { authorization, "content-length": body.length, ...headers },
    });
    const answer = (async (): Promise<HttpAnswer> => {
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      const read = await buffer(response);
      return { status: response.statusCode!, headers: response.headers, body: read };
    })();
    answer.catch(() => undefined); // it is looked at later, if at all
    asked.end(body);
    return { answer, abort: () => void asked.destroy() };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    return Promise.resolve();
  }
}

/** A request by POST, as a caller makes it. Only whole seconds can be said. */
export function askByHttp(client: HttpClient, path: string, sent: Sent, timeoutMs?: number): Asked {
  const { body, contentType } = toTyped(sent.payload);
  const { answer, abort } = client.call(
    "POST",
    path,
    {
      ...sent.headers,
      ...(contentType === undefined ? {} : { "content-type": contentType }),
      ...(timeoutMs === undefined ? {} : { prefer: `wait=${timeoutMs / 1_000}` }),
    },
    body,
  );
  return { outcome: answer.then(outcomeOf, lost), leave: abort };
}

function outcomeOf({ status, headers, body }: HttpAnswer): GatewayOutcome {
  if (status >= 400) return { failure: problemOf(body) };
  const payload = fromTyped({ body, contentType: headers["content-type"] });
  return { answer: { payload, headers: flat(headers) } };
}

function lost({ code = "lost" }: { readonly code?: string }): GatewayOutcome {
  return { failure: { message: code } };
}

export function problemOf(body: Buffer): FailureSeen {
  const { code, reason, detail } = JSON.parse(body.toString()) as Record<string, string>;
  return { code: code!, reason: reason!, message: detail! };
}

export function flat(headers: IncomingHttpHeaders): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
