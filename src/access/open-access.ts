import { DEFAULT_TENANT, type Access, type Principal } from "./access.ts";

/** The principal of callers that need no credentials. */
export const EVERYONE: Principal = Object.freeze({
  id: "everyone",
  tenant: DEFAULT_TENANT,
  role: "everyone",
});

/** Admits every caller and allows everything. It is the default of a hub. */
export const openAccess: Access = {
  authenticate: () => EVERYONE,
  may: () => true,
};
