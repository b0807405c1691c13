import type { MessageSocket } from "../transport/ws/message-socket.ts";
import type { CommandLine, LineEnd, LineEvents } from "./line.ts";

/** Normal closure (RFC 6455, section 7.4.1). */
const NORMAL: LineEnd = { code: 1000, reason: "" };

/** A line over a WebSocket that is open: each command is a text message, and how what comes is cut means nothing. */
export function messageLine(socket: MessageSocket): CommandLine {
  return {
    remote: socket.remote,
    get buffered(): number {
      return socket.buffered;
    },
    open(events: LineEvents): void {
      socket.open({
        message: (data) => events.data(data),
        drained: () => events.drained(),
        closed: (error) => events.closed(error),
      });
    },
    send: (encoded) => socket.send(encoded),
    read: (going) => socket.read(going),
    close: ({ code, reason } = NORMAL) => socket.close(code, reason),
    abort: () => socket.abort(),
  };
}
