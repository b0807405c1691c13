/** The other end of a request, a worker or a session, for observers. */

/** Whom the hub has taken someone for. */
export interface Identity {
  readonly id: string;
  readonly tenant: string;
  readonly role: string;
}

export interface Origin {
  /** The gateway by its name in the configuration, such as `http` or `native`; `process` inside the hub's own process. */
  readonly gateway: string;
  /** The address at the other end, as the gateway knows it; undefined inside the process. */
  readonly remote: string | undefined;
  /** Undefined inside the process, and before the other end has been admitted. */
  readonly principal: Identity | undefined;
}

/** The hub's own process. */
export const IN_PROCESS: Origin = Object.freeze({
  gateway: "process",
  remote: undefined,
  principal: undefined,
});
