/** What decides about the callers of a hub. What keys, tokens and files need is loaded only where there are some. */
import type { AccessOptions } from "../access/access-options.ts";
import { IN_PROCESS } from "../message/origin.ts";
import type { Observer } from "../observe/observer.ts";
import { DEFAULT_TENANT, type Access } from "../access/access.ts";
import { LintelError } from "../message/failure.ts";

/**
 * Undefined where all callers are let in. Rejects with `invalid_argument` for options that are wrong, and with
 * `OPTION_UNSUPPORTED` for a tenant besides the main one where there can be none.
 */
export async function openAccess(
  given: AccessOptions | Access | undefined,
  onError: (error: unknown, where: string) => void,
  observer: Observer | undefined,
  canBeSeveral: boolean,
): Promise<Access | undefined> {
  if (given === undefined) return undefined;
  const { createAccess, isAccess } = await import("../access/create-access.ts");
  if (isAccess(given)) return given;
  const access = await createAccess(given, { onError });
  const checkTenants = (): void => {
    if (canBeSeveral) return;
    for (const tenant of access.tenants()) if (tenant !== DEFAULT_TENANT) throw noTenant(tenant);
  };
  const { keysFile } = given;
  checkTenants();
  if (keysFile === undefined) return access;
  const { KeysFileWatch } = await import("../config/keys-file.ts");
  let isOpen = false;
  const file = await KeysFileWatch.open(keysFile, {
    onKeys: (keys) => {
      const { added, revoked } = access.replaceFileKeys(keys);
      if (!isOpen) return; // that it has keys is no change
      for (const name of revoked) observer?.administered?.({ ...IN_PROCESS, action: "key revoked", name });
      for (const name of added) observer?.administered?.({ ...IN_PROCESS, action: "key added", name });
    },
    onError: (error) => onError(error, `reading ${keysFile}`),
  });
  isOpen = true;
  access.beforeClose(() => file.close());
  try {
    checkTenants();
  } catch (error) {
    access.close();
    throw error;
  }
  return access;
}

function noTenant(tenant: string): LintelError {
  const text =
    `createHub: access names the tenant "${tenant}", but the engine of this hub has no tenant but "${DEFAULT_TENANT}"; ` +
    "leave `engine` out, or name no tenants";
  return LintelError.of("OPTION_UNSUPPORTED", text);
}
