/** What the bench and its child processes tell each other. Both ends are compiled together, so nothing is negotiated. */
import type { Load, Sample } from "./load/sample.ts";
import type { Addresses, Role } from "./roles.ts";

/** One command at a time; each gets one outcome. */
export type Command =
  | { readonly do: "open"; readonly role: Role }
  | { readonly do: "measure"; readonly load: Load; readonly seconds: number }
  | { readonly do: "close" };

export type Outcome =
  | { readonly is: "opened"; readonly addresses: Addresses }
  | { readonly is: "measured"; readonly sample: Sample }
  | { readonly is: "closed" }
  | { readonly is: "failed"; readonly message: string };
