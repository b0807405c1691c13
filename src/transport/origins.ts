/**
 * Which web pages, and which host names, a listener answers. Browsers let any page send requests to any address, loopback
 * included, and a page may make a name of its own point there (DNS rebinding). So every listener that speaks HTTP looks at
 * two things before it does anything else: which page sent the request, and which name it was sent to.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Failure } from "../message/failure.ts";
import type { RefusedRequest } from "./transport.ts";
import { isLoopbackAddress, isLoopbackHost, nameOfHost } from "./host-names.ts";

/** The answer to a page of another origin. */
export const FOREIGN_ORIGIN: Failure = Object.freeze({
  code: "permission_denied",
  reason: "FOREIGN_ORIGIN",
  message:
    "web pages of this origin may not send requests here; the option `origins` of the listener says which may",
  retryable: false,
});

/** The answer to a request for a name that is not the listener's. */
export const FOREIGN_HOST: Failure = Object.freeze({
  code: "permission_denied",
  reason: "FOREIGN_HOST",
  message:
    "this listener does not accept the Host of the request: it accepts its own address and loopback names; add others, such as that of a proxy in front, to the listener's option `hosts`",
  retryable: false,
});

export interface AccessOptions {
  /** Origins of web pages that may send requests, exactly as browsers write them; `"*"` for all. */
  readonly origins?: readonly string[] | undefined;
  /** Names, without a port, that requests may be sent to besides loopback names; `"*"` for all. */
  readonly hosts?: readonly string[] | undefined;
  /**
   * The listener is the hub's own and has no TLS: a name that is not listed in `hosts` may be one that was made to point here, also
   * where other machines can reach it. With TLS such a name has no certificate. Default false.
   */
  readonly isPlain?: boolean;
  /** The listener has pages of its own, which need not be listed. Default false. */
  readonly hasPages?: boolean;
  /** Called with each request that is refused because of its page or its name. */
  readonly onRefused?: ((refused: RefusedRequest) => void) | undefined;
}

/** Where a listener takes connections. */
export interface ListenerAddress {
  readonly isLoopback: boolean;
  /** The host it was told to listen on, and the address that became of it. */
  readonly names: readonly string[];
}

/** Of a listener that is unknown, or no port: any name may be its own. */
export const ANYWHERE: ListenerAddress = Object.freeze({ isLoopback: false, names: [] });

/** What a request says about the page that sent it. Header values as sent; several of one name are joined with ", ". */
export interface PageClues {
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`: what the browser says about the page, beyond the page's power. */
  readonly site: string | undefined;
  readonly referer: string | undefined;
  readonly host: string | undefined;
  /** The listener speaks TLS. */
  readonly isSecure: boolean;
}

/**
 * - `own`: a program, a page of the listener's own origin, or a person at the browser itself
 * - `listed`: a page of another origin that `origins` lists
 * - `foreign`: any other page
 */
export type Standing = "own" | "listed" | "foreign";

/** The rule of one listener. */
export class AccessRule {
  readonly #origins: ReadonlySet<string> | undefined;
  readonly #hosts: ReadonlySet<string> | undefined;
  readonly #hasPages: boolean;
  readonly #isPlain: boolean;
  readonly #onRefused: AccessOptions["onRefused"];
  readonly #addresses = new WeakMap<Server, ListenerAddress>();
  #goodHost: string | undefined;
  #goodAt: ListenerAddress | undefined;

  /** Throws a TypeError for an origin that a browser would never send, and for a host that is no name. */
  constructor({ origins, hosts, hasPages = false, isPlain = false, onRefused }: AccessOptions = {}) {
    origins?.forEach(checkOrigin);
    hosts?.forEach(checkHost);
    this.#origins = origins === undefined ? undefined : new Set(origins);
    this.#hosts = hosts === undefined ? undefined : new Set(hosts.map((host) => host.toLowerCase()));
    this.#hasPages = hasPages;
    this.#isPlain = isPlain;
    this.#onRefused = onRefused;
  }

  /** True when answers differ by the origin of the page. */
  get hasOrigins(): boolean {
    return this.#origins !== undefined;
  }

  /** True for a Host header that names this listener. */
  admitsHost(host: string | undefined, at: ListenerAddress): boolean {
    if (host === undefined || (host === this.#goodHost && at === this.#goodAt)) return true; // no browser leaves it out
    if (!this.#isOwnName(host, at)) return false;
    this.#goodHost = host;
    this.#goodAt = at;
    return true;
  }

  #isOwnName(host: string, at: ListenerAddress): boolean {
    const hosts = this.#hosts;
    if (hosts?.has("*") === true || (hosts === undefined && !this.#knowsNames(at))) return true;
    const name = nameOfHost(host);
    if (name === undefined) return false;
    if (isLoopbackHost(name) || hosts?.has(name) === true || at.names.includes(name)) return true;
    return !at.isLoopback && isAddress(name); // an address is not a name that could be made to point elsewhere
  }

  /** True where a name that is not listed is not this listener's, though `hosts` is not set. */
  #knowsNames(at: ListenerAddress): boolean {
    return at.isLoopback || (this.#isPlain && at !== ANYWHERE);
  }

  /** The origin of a request. */
  standingOf(clues: PageClues): Standing {
    const { origin, site, referer } = clues;
    const isOwnSite = site === undefined || site === "same-origin" || site === "none";
    if (origin !== undefined) {
      if (this.#lists(origin)) return "listed";
      // A page that hides its address hides its origin too; the browser still says whose it is.
      if (origin === "null") return site === "same-origin" ? "own" : "foreign";
      return isOwnSite && isSameHost(origin, clues) ? "own" : "foreign";
    }
    const from = referer === undefined ? undefined : originOf(referer);
    if (from !== undefined && this.#lists(from)) return "listed";
    if (site !== undefined) return isOwnSite ? "own" : "foreign";
    return referer === undefined || (from !== undefined && isSameHost(from, clues)) ? "own" : "foreign";
  }

  /**
   * Why a request may not open a session; undefined when it may. A list of origins has to have the listener's own, unless that
   * has pages, and its names are known: any other name may be one that was made to point here.
   */
  objection(clues: PageClues, at: ListenerAddress, remote: () => string): Failure | undefined {
    const why = this.#objection(clues, at);
    if (why !== undefined && this.#onRefused !== undefined) this.#onRefused({ why, remote: remote() });
    return why;
  }

  /** Passes on what is wrong with a request, and tells of it if it is its page or its name. */
  told(why: Failure, remote: string | undefined, path: () => string): Failure {
    if (this.#onRefused !== undefined && (why === FOREIGN_HOST || why === FOREIGN_ORIGIN))
      this.#onRefused({ why, remote, path: path() });
    return why;
  }

  #objection(clues: PageClues, at: ListenerAddress): Failure | undefined {
    if (!this.admitsHost(clues.host, at)) return FOREIGN_HOST;
    const standing = this.standingOf(clues);
    if (standing === "foreign") return FOREIGN_ORIGIN;
    if (clues.origin === undefined || standing === "listed" || this.#origins === undefined) return undefined;
    return this.#hasPages && (this.#knowsNames(at) || this.#hosts !== undefined) ? undefined : FOREIGN_ORIGIN;
  }

  /** Where the server of a connection listens. */
  addressOf(socket: Socket): ListenerAddress {
    // Node's servers leave themselves at the sockets they accept, which its types do not say.
    const { server } = socket as { readonly server?: Server };
    return (server && this.addressOfServer(server)) ?? addressBy(socket);
  }

  /**
   * Where a server listens, which is remembered until it has closed; `host` is what it was told to listen on. Undefined when it
   * does not listen.
   */
  addressOfServer(server: Server, host?: string): ListenerAddress | undefined {
    const known = this.#addresses.get(server);
    if (known !== undefined) return known;
    const address = server.address();
    if (address === null) return undefined;
    const found = typeof address === "string" ? ANYWHERE : listenerAddress(address, host);
    this.#addresses.set(server, found);
    server.once("close", () => this.#addresses.delete(server));
    return found;
  }

  #lists(origin: string): boolean {
    return this.#origins !== undefined && (this.#origins.has(origin) || this.#origins.has("*"));
  }
}

/** What the headers of a request say, as Node has them. */
export function cluesOf(headers: IncomingHttpHeaders, isSecure: boolean): PageClues {
  const { origin, referer, ":authority": authority = headers.host, "sec-fetch-site": site } = headers;
  return { origin, referer, host: authority?.toString(), site: site?.toString(), isSecure };
}

/** Where a server listens that was told to listen on this host. */
function listenerAddress({ address }: AddressInfo, host?: string): ListenerAddress {
  const names = [address, ...(host === undefined ? [] : [host])].map((name) =>
    nameOfHost(name.includes(":") && !name.startsWith("[") ? `[${name}]` : name),
  );
  return { isLoopback: isLoopbackAddress(address), names: names.filter((name) => name !== undefined) };
}

/** The next best where the server cannot be asked: the address that the caller has connected to. */
function addressBy({ localAddress: address }: Socket): ListenerAddress {
  if (address === undefined) return ANYWHERE;
  return listenerAddress({ address, family: "", port: 0 });
}

function isAddress(name: string): boolean {
  return name.startsWith("[") || /^[0-9]+(?:\.[0-9]+){3}$/.test(name);
}

function checkOrigin(origin: string): void {
  if (origin !== "*" && parseOrigin(origin) === undefined)
    throw new TypeError(`"${origin}" is not an origin such as https://app.example.com, nor "*"`);
}

function checkHost(host: string): void {
  if (host !== "*" && (nameOfHost(host) !== host.toLowerCase() || /[*:]/.test(host.replace(/^\[.*\]$/, ""))))
    throw new TypeError(`"${host}" is not a host name such as hub.example.com without a port, nor "*"`);
}

/** Throws a TypeError for what cannot be among `origins`, or `hosts`. */
export function checkAccess(options: AccessOptions): void {
  void new AccessRule(options);
}

/** An origin exactly as browsers write it: scheme, host, and the port where it is not the scheme's own. */
function parseOrigin(origin: string): URL | undefined {
  const parsed = URL.canParse(origin) ? new URL(origin) : undefined;
  const isWeb = parsed?.protocol === "https:" || parsed?.protocol === "http:";
  // There is no pattern within an origin; a star in one is a mistake.
  return isWeb && parsed.origin === origin && !origin.includes("*") ? parsed : undefined;
}

/** The origin of a page by its address; undefined when that is none. */
function originOf(referer: string): string | undefined {
  return URL.canParse(referer) ? new URL(referer).origin : undefined;
}

function isSameHost(origin: string, { host, isSecure }: PageClues): boolean {
  const from = parseOrigin(origin);
  if (from === undefined || host === undefined) return false;
  // Without TLS the scheme is the origin's: a proxy in front may have taken TLS off. It never puts TLS on.
  if (isSecure && from.protocol !== "https:") return false;
  const to = `${from.protocol}//${host}`;
  return URL.canParse(to) && new URL(to).host === from.host;
}
