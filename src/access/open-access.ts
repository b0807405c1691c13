import type { Access, Principal } from "./access.ts";

/** Whoever is not asked for credentials. */
export const EVERYONE: Principal = Object.freeze({ id: "everyone", tenant: "main", role: "everyone" });

/** Lets everybody in, and everybody do everything. A hub that is given no other asks nobody anything. */
export const openAccess: Access = {
  authenticate: () => EVERYONE,
  may: () => true,
};
