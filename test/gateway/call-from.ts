import { request } from "node:http";

/** What was answered. */
export interface Answered {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  /** Reason of a problem. */
  readonly reason: string | undefined;
}

/** A call from one of this machine's loopback addresses, such as 127.0.0.2: another caller. */
export function callFrom(
  localAddress: string,
  url: string,
  {
    method = "GET",
    headers = {},
    body = "",
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, headers, localAddress, agent: false });
    call.on("error", reject);
    call.on("response", (response) => {
      let text = "";
      response.on("data", (chunk) => (text += String(chunk)));
      response.on("end", () => {
        const isProblem = text !== "" && response.headers["content-type"] === "application/problem+json";
        const reason = isProblem ? (JSON.parse(text) as { reason: string }).reason : undefined;
        resolve({ status: response.statusCode!, headers: response.headers, body: text, reason });
      });
    });
    call.end(body);
  });
}
