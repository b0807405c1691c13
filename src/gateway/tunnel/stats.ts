/** What the gateway of tunnels counts. */
export type TunnelStats = {
  /** Connections that are open, those included that nobody has answered yet. */
  readonly connections: number;
};
