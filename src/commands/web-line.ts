import type { MessageSocket } from "../transport/ws/message-socket.ts";
import type { CommandLine, LineEnd, LineEvents } from "./line.ts";

const NORMAL_CLOSE: LineEnd = { code: 1000, reason: "" };

/** A line over a WebSocket that was accepted. Text and binary messages are parts of one stream of commands. */
export function webLine(socket: MessageSocket): CommandLine {
  return {
    remote: socket.remote,
    get buffered(): number {
      return socket.buffered;
    },
    open(events: LineEvents): void {
      socket.open({
        message: (data) => events.data(data),
        drained: () => events.drained(),
        closed: (why) => events.closed(why),
      });
    },
    send: (encoded) => socket.send(encoded),
    read: (going) => socket.read(going),
    close: ({ code, reason } = NORMAL_CLOSE) => socket.close(code, reason),
    abort: () => socket.abort(),
  };
}
