/** Patterns for the names of actions, as for subjects: `*` stands for one part between dots, a final `>` for one or more. */
import { LintelError } from "../../message/failure.ts";
import { shown } from "../../message/options.ts";

const MAX_PATTERN = 255;

/** True for the actions that the pattern names. Throws `invalid_argument` for what is no pattern. */
export function actionMatcher(pattern: string): (action: string) => boolean {
  if (typeof pattern !== "string" || pattern === "" || pattern.length > MAX_PATTERN)
    throw notAPattern(pattern, `it must be a string of 1 to ${MAX_PATTERN} characters`);
  const wanted = pattern.split(".");
  const hasRest = wanted.at(-1) === ">";
  if (hasRest) wanted.pop();
  if (wanted.includes(">")) throw notAPattern(pattern, "> must be its last part");
  if (!hasRest && !wanted.includes("*")) return (action) => action === pattern;
  return (action) => {
    const parts = action.split(".");
    const isLongEnough = hasRest ? parts.length > wanted.length : parts.length === wanted.length;
    return isLongEnough && wanted.every((part, index) => part === "*" || part === parts[index]);
  };
}

function notAPattern(pattern: unknown, why: string): LintelError {
  return new LintelError("invalid_argument", `${shown(pattern)} is not a pattern for actions: ${why}`);
}
