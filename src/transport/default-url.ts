/** Where a hub listens for sessions, and where peers look for one, unless told otherwise. */
export const DEFAULT_URL = "tcp://127.0.0.1:4500";
