/** What decides about the callers of a hub. What keys, tokens and files need is loaded only where there are some. */
import type { AccessOptions } from "../access/access-options.ts";
import type { Observer } from "../observe/observer.ts";
import type { Access } from "../access/access.ts";

/** Undefined where all callers are let in. Rejects with `invalid_argument` for options that are wrong. */
export async function openAccess(
  given: AccessOptions | Access | undefined,
  onError: (error: unknown, where: string) => void,
  observer: Observer | undefined,
): Promise<Access | undefined> {
  if (given === undefined) return undefined;
  const { createAccess, isAccess } = await import("../access/create-access.ts");
  if (isAccess(given)) return given;
  const access = await createAccess(given, { onError });
  const { keysFile } = given;
  if (keysFile === undefined) return access;
  const { KeysFileWatch } = await import("../config/keys-file.ts");
  const file = await KeysFileWatch.open(keysFile, {
    onKeys: (keys) => {
      const { added, revoked } = access.replaceFileKeys(keys);
      for (const name of revoked) observer?.administered?.({ action: "key revoked", name });
      for (const name of added) observer?.administered?.({ action: "key added", name });
    },
    onError: (error) => onError(error, `reading ${keysFile}`),
  });
  access.beforeClose(() => file.close());
  return access;
}
