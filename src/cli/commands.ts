/** The commands of the command line: each is a file of its own, loaded when it is named. */
import type { Command } from "commander";

/** What the file of a command exports. */
export interface CommandModule {
  /** Adds arguments, options, help and the action. */
  define(command: Command): void | Promise<void>;
}

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

/** To add a command, write its file and add a line here. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: "serve", summary: "start a hub", load: () => import("./serve.ts") },
  { name: "up", summary: "start a hub and the services of a manifest", load: () => import("./up.ts") },
  { name: "ps", summary: "list the services that run", load: () => import("./ps.ts") },
  { name: "logs", summary: "print what a service has written", load: () => import("./logs.ts") },
  { name: "restart", summary: "restart the instances of a service", load: () => import("./restart.ts") },
  { name: "scale", summary: "run more or fewer instances", load: () => import("./scale.ts") },
  {
    name: "keys",
    summary: "make, list, revoke and rotate the keys of a hub",
    load: () => import("./keys.ts"),
  },
  { name: "work", summary: "turn any program into a worker", load: () => import("./work.ts") },
  { name: "work-app", summary: "turn a web app into a worker", load: () => import("./work-app.ts") },
  { name: "request", summary: "send a request and print the answer", load: () => import("./request.ts") },
  { name: "publish", summary: "send a message to every subscriber", load: () => import("./publish.ts") },
  { name: "subscribe", summary: "print messages as they arrive", load: () => import("./subscribe.ts") },
  { name: "expose", summary: "let tunnels connect to a TCP target", load: () => import("./expose.ts") },
  {
    name: "tunnel",
    summary: "listen on a TCP port for an exposed target",
    load: () => import("./tunnel.ts"),
  },
];
