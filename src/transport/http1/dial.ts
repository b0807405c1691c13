import { attempt } from "../dialing.ts";
import { readFirst } from "../preamble.ts";
import type { Connection, DialOptions } from "../transport.ts";
import { DialedConnection, type Requester } from "./dialed-connection.ts";
import { CONTENT_TYPE, PREAMBLE_SIZE, readPreamble } from "./wire.ts";

/** Opens a connection. Resolves when the first bytes have come down, so that a proxy that holds them back is noticed. */
export function dialHttp1(
  path: string,
  remote: string,
  options: DialOptions,
  requester: Requester,
): Promise<Connection> {
  return attempt(options, (succeed, fail) => {
    const request = requester.request({
      method: "POST",
      path,
      headers: { "content-type": CONTENT_TYPE, "content-length": 0 },
    });
    request.on("error", fail); // stays: later ones reach the download too
    request.on("response", (download) => {
      const { statusCode: status, headers } = download;
      download.on("error", fail);
      download.on("close", () => fail(new Error("the download ended before it began")));
      if (status !== 200) {
        fail(new Error(`the request for a connection was answered with status ${status}`));
      } else if (headers["content-type"] !== CONTENT_TYPE) {
        fail(new Error(`the answer is ${headers["content-type"]}, not a connection`));
      } else {
        readFirst(download, PREAMBLE_SIZE, (bytes) => {
          const id = readPreamble(bytes);
          if (id === undefined) fail(new Error("the answer does not begin as a connection does"));
          else succeed(new DialedConnection(download, `${path}/${id}`, remote, requester));
        });
      }
    });
    request.end();
    return () => {
      request.destroy();
      requester.agent.destroy();
    };
  });
}
