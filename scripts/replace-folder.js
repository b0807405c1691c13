import { renameSync, rmSync } from "node:fs";

/** Another program may put its own folder there between the two steps. */
const ATTEMPTS = 10;

/**
 * Puts a folder in the place of another, whole: who reads there finds the one or the other, but for the moment between two
 * renamings.
 * @param {string} place
 * @param {string} fresh on the same file system
 */
export function replaceFolder(place, fresh) {
  const before = `${fresh}.before`;
  for (let attempt = 1; ; attempt++) {
    try {
      moveAway(place, before);
      renameSync(fresh, place);
      return;
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      if ((code !== "ENOTEMPTY" && code !== "EEXIST") || attempt === ATTEMPTS) throw error;
    } finally {
      rmSync(before, { recursive: true, force: true });
    }
  }
}

/**
 * @param {string} place
 * @param {string} before
 */
function moveAway(place, before) {
  try {
    renameSync(place, before);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error; // there was none
  }
}
