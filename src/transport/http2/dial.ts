import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type SecureClientSessionOptions,
} from "node:http2";
import { attempt } from "../dialing.ts";
import { readFirst } from "../preamble.ts";
import type { Connection, DialOptions } from "../transport.ts";
import { CONTENT_TYPE, PREAMBLE } from "./acceptor.ts";
import { DialedBypasses } from "./dialed-bypasses.ts";
import { STREAM_WINDOW, widen } from "./options.ts";
import { StreamConnection } from "./stream-connection.ts";

/** Opens a connection of its own and, inside it, the one stream that carries the session. */
export function dialHttp2(
  authority: string,
  path: string,
  remote: string,
  options: DialOptions,
  credentials: SecureClientSessionOptions,
): Promise<Connection> {
  const { host } = new URL(authority); // without it Node sends the name that the certificate must have
  return attempt(options, (succeed, fail) => {
    const session = connect(authority, {
      ...credentials,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    session.on("error", fail); // stays: later ones reach the stream too
    session.on("close", () => fail(new Error("the connection was closed before there was a stream")));
    session.on("connect", () => {
      if (session.encrypted && session.alpnProtocol !== "h2") {
        return fail(new Error("the other end does not speak HTTP/2"));
      }
      widen(session);
    });
    const bypasses = new DialedBypasses(session, host, path);
    openStream(session, host, path, fail, (stream) => {
      const onOver = (): void => {
        bypasses.close();
        session.close();
      };
      succeed(new StreamConnection(stream, remote, bypasses, onOver));
    });
    return () => session.destroy();
  });
}

function openStream(
  session: ClientHttp2Session,
  host: string,
  path: string,
  fail: (error: Error) => void,
  opened: (stream: ClientHttp2Stream) => void,
): void {
  const stream = session.request(
    { ":method": "POST", ":authority": host, ":path": path, "content-type": CONTENT_TYPE },
    { endStream: false },
  );
  // A stream that waits for its connection fails with the reason in `cause`.
  stream.on("error", (error) => fail(error.cause instanceof Error ? error.cause : error));
  stream.on("close", () => fail(new Error(`the stream was reset (error code ${stream.rstCode})`)));
  stream.on("response", ({ ":status": status, "content-type": type }) => {
    if (status !== 200)
      return fail(new Error(`the request for a session was answered with status ${status}`));
    if (type !== CONTENT_TYPE) return fail(new Error(`the answer is ${type}, not a session`));
    readFirst(stream, PREAMBLE.length, (bytes) => {
      if (bytes.toString("latin1") !== PREAMBLE)
        fail(new Error("the answer does not begin as a session does"));
      else opened(stream);
    });
  });
}
