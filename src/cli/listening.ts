/** Errors of listening, as the terminal shows them. */
import { LintelError } from "../message/failure.ts";
import { CliError, Exit } from "./failure.ts";

const LISTEN_ERRORS: Readonly<Record<string, readonly [reason: string, text: string, hint: string]>> = {
  EADDRINUSE: [
    "ADDRESS_IN_USE",
    "another program listens there already",
    "`ss -ltnp` shows who listens; another lintel may be running; choose another address: port 0 takes a free one",
  ],
  EACCES: [
    "ADDRESS_DENIED",
    "the operating system does not allow it",
    "ports below 1024 need privileges: choose a higher one",
  ],
  EADDRNOTAVAIL: [
    "ADDRESS_UNKNOWN",
    "this machine has no such address",
    "use 127.0.0.1, or 0.0.0.0 for all addresses",
  ],
  ENOTFOUND: ["ADDRESS_UNKNOWN", "there is no such host", "use 127.0.0.1, or 0.0.0.0 for all addresses"],
};

/** What went wrong with listening, in words; other errors as they are. */
export function explainListening(error: unknown): unknown {
  if (error instanceof TypeError) return new CliError(Exit.usage, "USAGE", error.message, { cause: error });
  if (error instanceof LintelError && error.reason === "INSECURE_LISTEN") {
    const hint =
      "`--insecure`, or LINTEL_INSECURE=true, lets everybody in who can reach the hub; docs/guides/access.md tells of `access`";
    return new CliError(Exit.usage, error.reason, error.message, { hint, cause: error });
  }
  if (error instanceof LintelError && error.code === "invalid_argument") {
    return new CliError(Exit.usage, error.reason, error.message, { cause: error });
  }
  const {
    code = "",
    address = "",
    port,
    hostname,
  }: NodeJS.ErrnoException & Place = error instanceof Error ? error : FAULT;
  const known = LISTEN_ERRORS[code];
  if (known === undefined) return error;
  const [reason, text, hint] = known;
  const place = hostname ?? (port === undefined ? address : `${address}:${port}`);
  return new CliError(Exit.connection, reason, `cannot listen on ${place}: ${text}`, { hint, cause: error });
}

/** What node adds to errors of listening. */
interface Place {
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

const FAULT = new Error("not an error");
