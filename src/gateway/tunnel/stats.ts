/** What the gateway of tunnels counts. */
export type TunnelStats = {
  /** Connections that are open, including those not answered yet. */
  readonly connections: number;
};
