/** A server of commands that its parent talks to through standard input and output. */
import { createCommandServer } from "../../../src/commands/server/server.ts";

createCommandServer()
  .on("echo", ({ body }) => body)
  .on("back", ({ connection, body }) => connection.call("client.ask", body))
  .on("slow", () => new Promise(() => undefined))
  .on("pid", () => process.pid)
  .on("exit", () => process.exit(1))
  .attachToParent();
