/** The public keys of an issuer, fetched from its URL and kept. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { LintelError } from "../../message/failure.ts";

/** Keys older than this are fetched anew, while they still serve. Milliseconds. */
const FRESH_MS = 600_000;
/** Keys that could not be fetched anew serve no longer than this. Milliseconds. */
const USABLE_MS = 86_400_000;
/** An unknown key is looked for at the issuer at most so often, and an issuer that fails is asked at most so often. Milliseconds. */
const COOLDOWN_MS = 5_000;
/** How long a fetch may take: less than a hub gives an access check. Milliseconds. */
const FETCH_MS = 3_000;
/** Largest key set. Bytes. */
const MAX_BYTES = 1_048_576;

export interface KeySetOptions {
  /** Milliseconds since 1970. */
  readonly timeOfDay: () => number;
  /** Called when keys could not be fetched. */
  readonly onError: (error: unknown) => void;
  /** Called with the ids of keys that the issuer has withdrawn. */
  readonly onWithdrawn: (keyIds: ReadonlySet<string>) => void;
}

interface Keys {
  readonly find: JWTVerifyGetKey;
  readonly ids: ReadonlySet<string>;
  readonly fetchedAt: number;
}

/**
 * Keys are fetched when the first token comes. From then on tokens never wait for an issuer, except for a key that is not
 * known: while it cannot be reached, or answers with something else, the last keys serve.
 */
export class KeySet {
  readonly #url: string;
  readonly #options: KeySetOptions;
  #keys: Keys | undefined;
  #fetching: Promise<void> | undefined;
  #askedAt = -Infinity;

  constructor(url: string, options: KeySetOptions) {
    this.#url = url;
    this.#options = options;
  }

  /** The key that a token was signed with. Rejects as `ACCESS_UNAVAILABLE` when there are no keys to look at. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const keys = await this.#usable();
    try {
      return await keys.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayAsk()) throw error;
      await this.#fetch();
      return (this.#keys ?? keys).find(header, token);
    }
  };

  async #usable(): Promise<Keys> {
    const age = this.#now() - (this.#keys?.fetchedAt ?? -Infinity);
    if (this.#keys !== undefined && age < USABLE_MS) {
      if (age >= FRESH_MS && this.#mayAsk()) void this.#fetch();
      return this.#keys;
    }
    this.#keys = undefined;
    if (this.#fetching !== undefined || this.#mayAsk()) await this.#fetch();
    if (this.#keys === undefined)
      throw LintelError.of("ACCESS_UNAVAILABLE", "the keys of the token's issuer are not available");
    return this.#keys;
  }

  #now(): number {
    return this.#options.timeOfDay();
  }

  #mayAsk(): boolean {
    return this.#fetching !== undefined || Math.abs(this.#now() - this.#askedAt) >= COOLDOWN_MS;
  }

  /** Never rejects: keys stay as they are when there are no others to be had. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchAnew().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchAnew(): Promise<void> {
    this.#askedAt = this.#now();
    try {
      const set = await fetchKeySet(this.#url);
      const next: Keys = {
        find: createLocalJWKSet(set),
        ids: new Set(set.keys.flatMap(({ kid }) => (typeof kid === "string" ? [kid] : []))),
        fetchedAt: this.#now(),
      };
      const before = this.#keys?.ids ?? [];
      this.#keys = next;
      const withdrawn = new Set([...before].filter((id) => !next.ids.has(id)));
      if (withdrawn.size > 0) this.#options.onWithdrawn(withdrawn);
    } catch (error) {
      this.#options.onError(error);
    }
  }
}

async function fetchKeySet(url: string): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(FETCH_MS);
  const response = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answered ${response.status} and not with a set of keys`);
  }
  const set: unknown = JSON.parse(await readText(response, url));
  // An empty set would withdraw every key: an issuer that has lost its keys is an issuer with a fault.
  const keys = (set as Partial<JSONWebKeySet> | null)?.keys;
  if (!Array.isArray(keys) || keys.length === 0) throw new Error(`${url} did not answer with a set of keys`);
  return set as JSONWebKeySet; // each key is checked when it is used
}

async function readText(response: Response, url: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).length;
    if (size > MAX_BYTES) throw new Error(`${url} answered with more than ${MAX_BYTES} bytes`);
    text += decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text + decoder.decode();
}
