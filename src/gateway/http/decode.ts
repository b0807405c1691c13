/**
 * The head of a request: checked, and written down as the header block that travels to the worker. Runs for every
 * request, so one reader is reused and each header is looked at once.
 */
import { bearerToken } from "../../message/peer-identity.ts";
import { failure, type Failure } from "../../message/failure.ts";
import { FOREIGN_HOST, type AccessRule, type ListenerAddress } from "../../transport/origins.ts";
import type { Incoming, ConnectionDriver } from "./connection.ts";
import { isHopByHop, namedByConnection } from "./hop-by-hop.ts";
import type { HttpSettings } from "./options.ts";

/** What the gateway itself does with a header. */
type Role =
  | "forward"
  | "drop"
  | "host"
  | "connection"
  | "content-length"
  | "transfer-encoding"
  | "prefer"
  | "upgrade"
  | "origin"
  | "site"
  | "referer"
  | "coding"
  | "credentials";

interface Known {
  readonly name: string;
  readonly role: Role;
}

const ROLES: Readonly<Record<string, Role>> = {
  authorization: "credentials",
  host: "host",
  connection: "connection",
  "content-length": "content-length",
  "transfer-encoding": "transfer-encoding",
  prefer: "prefer",
  upgrade: "upgrade",
  origin: "origin",
  "sec-fetch-site": "site",
  referer: "referer",
  "content-encoding": "coding",
  expect: "drop",
  "keep-alive": "drop",
  te: "drop",
  trailer: "drop",
};

/** Usual names, which are spelled in one of two ways. */
const USUAL = [
  ...Object.keys(ROLES),
  "accept",
  "accept-encoding",
  "accept-language",
  "cache-control",
  "content-type",
  "cookie",
  "idempotency-key",
  "if-none-match",
  "pragma",
  "traceparent",
  "tracestate",
  "user-agent",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-real-ip",
  "x-request-id",
];

/** What the gateway looks at and hands on as well. */
const FORWARDED: ReadonlySet<Role> = new Set<Role>(["prefer", "origin", "site", "referer", "coding"]);

const KNOWN: ReadonlyMap<string, Known> = new Map(
  USUAL.flatMap((name) => {
    const known = { name, role: ROLES[name] ?? "forward" };
    return [
      [name, known],
      [name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()), known],
    ] as const;
  }),
);

/** Field lines a request may have. */
const MAX_FIELDS = 1_000;
const HOST = /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[A-Fa-f0-9:.]+\])(?::\d{0,5})?$/;
const PRINTABLE = /^[!-~]+$/;
const ABSOLUTE = /^https?:\/\//i;

/** What of a target decides what its header blocks say. */
interface BlockTarget {
  readonly mode: string;
  readonly params: string;
  readonly base: string;
}

/** The answer to a WebSocket handshake where there is none. */
export const NO_WEBSOCKET: Failure = Object.freeze({
  code: "unimplemented",
  reason: "UNIMPLEMENTED",
  message: "WebSocket is not supported on this path",
  retryable: false,
});

/** What a web app learns besides: what it would know if it listened here itself. */
function appLines({ base: mount, remote, isSecure }: ConnectionDriver, base: string): string {
  const scheme = `:scheme:${isSecure ? "https" : "http"}\n`;
  return `${scheme}${remote === undefined ? "" : `:remote:${remote}\n`}:base:${mount}${base}\n`;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

function lookUp(spelled: string): Known {
  const name = spelled.toLowerCase();
  return KNOWN.get(name) ?? { name, role: name.startsWith("proxy-") ? "drop" : "forward" };
}

/** Reads request heads, one after the other. The fields hold what the last one said. */
export class HeadReader {
  /** Request target as sent, in origin form. */
  target = "";
  /** The target without its query. */
  path = "";
  host: string | undefined;
  prefer: string | undefined;
  origin: string | undefined;
  /** Value of Sec-Fetch-Site. */
  site: string | undefined;
  referer: string | undefined;
  /** Value of Content-Encoding. */
  coding: string | undefined;
  /** -1 when the body is chunked. */
  bodyLength = 0;
  #fields = "";
  #connection: string | undefined;
  #transferEncoding: string | undefined;
  #upgrade: string | undefined;
  #goodHost: string | undefined;
  #goodAt: ListenerAddress | undefined;
  #goodPath: string | undefined;
  readonly #keepsCredentials: boolean;
  readonly #headerLimit: number;
  readonly #urlLimit: number;
  readonly #access: AccessRule;

  /** `keepsCredentials`: bearer tokens are for the hub, and no worker is to have them. */
  constructor({ headerLimit, urlLimit, access }: HttpSettings, keepsCredentials = false) {
    this.#keepsCredentials = keepsCredentials;
    this.#headerLimit = headerLimit;
    this.#urlLimit = urlLimit;
    this.#access = access;
  }

  /** True when a browser may have sent the request. */
  get hasPage(): boolean {
    return this.origin !== undefined || this.site !== undefined || this.referer !== undefined;
  }

  /** Reads one head; a failure when the request must be refused and its connection closed. */
  read(request: Incoming, url: string, at: ListenerAddress, mayUpgrade = false): Failure | undefined {
    const { rawHeaders } = request;
    this.target = this.path = url;
    if (url.length > this.#urlLimit) return failure("URI_TOO_LONG");
    if (rawHeaders.length > 2 * MAX_FIELDS) {
      return failure("HEADERS_TOO_LARGE", `there are more than ${MAX_FIELDS} header fields`);
    }
    const { httpVersionMajor: major, httpVersionMinor: minor } = request;
    if (major !== 1 || minor > 1) return failure("BAD_REQUEST", "only HTTP/1.1 and HTTP/1.0 are supported");
    return (
      this.#readFields(rawHeaders) ??
      this.#checkFraming(minor) ??
      (mayUpgrade ? undefined : this.#checkUpgrade()) ??
      this.#checkHost(minor, at) ??
      this.#checkTarget()
    );
  }

  /** The header block for the worker of a target, with an additional line for the body's length. */
  blockFor(method: string, target: BlockTarget, line: ConnectionDriver, length: string): string | undefined {
    const { mode, params, base } = target;
    if (mode !== "app") return this.block(method, params, "", length);
    return this.block(method, params, line.base, appLines(line, base) + length);
  }

  /** The header block for the worker, with these lines besides; undefined when it is over the limit. */
  block(method: string, params: string, mount = "", lines = ""): string | undefined {
    let block = `:method:${method}\n:path:${mount}${this.target}\n`;
    if (this.host !== undefined) block += `:authority:${this.host}\n`;
    if (params !== "") block += `:params:${params}\n`;
    block += lines + this.#fields;
    if (block.length > this.#headerLimit) return undefined;
    // A header value may have bytes above 127, which take two in UTF-8.
    const fits = block.length * 2 <= this.#headerLimit || Buffer.byteLength(block) <= this.#headerLimit;
    return fits ? block : undefined;
  }

  #readFields(raw: readonly string[]): Failure | undefined {
    this.host = this.prefer = this.#connection = this.#transferEncoding = this.#upgrade = undefined;
    this.origin = this.site = this.referer = this.coding = undefined;
    this.bodyLength = 0;
    let fields = "";
    let size = 0;
    for (let index = 0; index < raw.length; index += 2) {
      const value = raw[index + 1]!;
      size += raw[index]!.length + value.length + 2;
      const { name, role } = KNOWN.get(raw[index]!) ?? lookUp(raw[index]!);
      if (role === "forward" || (role === "credentials" && !this.#keeps(value)))
        fields += `${name}:${value}\n`;
      else if (!this.#note(role, value))
        return failure("BAD_REQUEST", `there is more than one ${name} header`);
      else if (FORWARDED.has(role)) fields += `${name}:${value}\n`;
    }
    if (size > this.#headerLimit) return failure("HEADERS_TOO_LARGE"); // before anything is made of them
    this.#fields = fields;
    if (this.#connection !== undefined) this.#dropNamed(this.#connection);
    return undefined;
  }

  /** True for what is the hub's to know. Other schemes than Bearer are for workers. */
  #keeps(authorization: string): boolean {
    return this.#keepsCredentials && bearerToken(authorization) !== undefined;
  }

  /** Keeps a header that concerns the gateway; false when there must not be a second one. */
  #note(role: Role, value: string): boolean {
    switch (role) {
      case "host":
        if (this.host !== undefined) return false;
        this.host = value;
        return true;
      case "content-length":
        this.bodyLength = Number(value);
        return true;
      case "transfer-encoding":
        if (this.#transferEncoding !== undefined) return false;
        this.#transferEncoding = value;
        this.bodyLength = -1;
        return true;
      case "connection":
        this.#connection = joined(this.#connection, value);
        return true;
      case "prefer":
        this.prefer = joined(this.prefer, value);
        return true;
      case "origin":
        this.origin = joined(this.origin, value);
        return true;
      case "site":
        this.site = joined(this.site, value);
        return true;
      case "referer":
        this.referer = joined(this.referer, value);
        return true;
      case "coding":
        this.coding = joined(this.coding, value);
        return true;
      case "upgrade":
        this.#upgrade = value;
        return true;
      default:
        return true;
    }
  }

  /** Takes out what a Connection header declares to be for this connection only. */
  #dropNamed(connection: string): void {
    if (connection === "keep-alive" || connection === "close" || connection === "Keep-Alive") return;
    const named = namedByConnection(connection);
    for (const name of named) if (name === "close" || isHopByHop(name)) named.delete(name);
    if (named.size === 0) return;
    const lines = this.#fields.split("\n");
    this.#fields = lines.filter((line) => !named.has(line.slice(0, line.indexOf(":")))).join("\n");
  }

  #checkFraming(minor: number): Failure | undefined {
    const coding = this.#transferEncoding;
    if (coding !== undefined) {
      if (minor === 0) return failure("BAD_REQUEST", "HTTP/1.0 does not allow Transfer-Encoding");
      if (coding.toLowerCase() !== "chunked")
        return failure("BAD_REQUEST", "the only supported transfer coding is chunked");
    }
    return undefined;
  }

  #checkUpgrade(): Failure | undefined {
    return this.#upgrade?.toLowerCase() === "websocket" ? NO_WEBSOCKET : undefined;
  }

  #checkHost(minor: number, at: ListenerAddress): Failure | undefined {
    const { host } = this;
    if (host === undefined)
      return minor === 0 ? undefined : failure("BAD_REQUEST", "the Host header is missing");
    if (host === this.#goodHost && at === this.#goodAt) return undefined;
    if (!HOST.test(host))
      return failure("BAD_REQUEST", "the Host header must be a host name with an optional port");
    if (!this.#access.admitsHost(host, at)) return FOREIGN_HOST;
    this.#goodHost = host;
    this.#goodAt = at;
    return undefined;
  }

  #checkTarget(): Failure | undefined {
    const { target } = this;
    if (target === this.#goodPath) return undefined;
    if (!PRINTABLE.test(target))
      return failure("BAD_REQUEST", "the request target has bytes that must be encoded");
    if (target.includes("#")) return failure("BAD_REQUEST", "the request target has a fragment");
    if (ABSOLUTE.test(target)) return this.#takeAbsolute(target);
    const query = target.indexOf("?");
    this.path = query < 0 ? target : target.slice(0, query);
    if (target.startsWith("/")) {
      if (query < 0) this.#goodPath = target;
      return undefined;
    }
    return target === "*" ? undefined : failure("BAD_REQUEST", "the request target must begin with /");
  }

  /** `http://host/path` is taken as `/path` if it names the same host: two answers to "which host?" are an attack. */
  #takeAbsolute(target: string): Failure | undefined {
    const start = target.indexOf("//") + 2;
    const slash = target.slice(start).search(/[/?]/);
    const end = slash < 0 ? target.length : start + slash;
    if (target.slice(start, end).toLowerCase() !== this.host?.toLowerCase()) {
      return failure("BAD_REQUEST", "the request target and the Host header have different hosts");
    }
    const rest = target.slice(end);
    this.target = rest.startsWith("/") ? rest : `/${rest}`;
    const query = this.target.indexOf("?");
    this.path = query < 0 ? this.target : this.target.slice(0, query);
    return undefined;
  }
}
