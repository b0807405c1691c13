/** `${NAME}` and `${NAME:-default}` in texts of the config file. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** What is wrong with a text, and where in it. */
export class SubstitutionError extends Error {
  readonly index: number;

  constructor(message: string, index: number) {
    super(message);
    this.index = index;
  }
}

const NAME = /([A-Za-z_][A-Za-z0-9_]*)(\}|:-)/y;
const HINT = "write $${ for the two characters themselves";

/**
 * The text with the values of its variables. The default stands for a variable that is missing or empty, and may have variables
 * of its own; `$${` stands for `${`. Throws a `SubstitutionError` for a variable that is missing, and for a form that is none.
 */
export function substitute(text: string, environment: Environment): string {
  let result = "";
  let at = 0;
  for (let begin = text.indexOf("${"); begin >= 0; begin = text.indexOf("${", at)) {
    if (begin > at && text[begin - 1] === "$") {
      result += `${text.slice(at, begin - 1)}\${`;
      at = begin + 2;
      continue;
    }
    result += text.slice(at, begin);
    NAME.lastIndex = begin + 2;
    const [, name = "", next] = NAME.exec(text) ?? [];
    if (next === undefined)
      throw new SubstitutionError(
        `"\${" begins a variable, which is \${NAME} or \${NAME:-default}; ${HINT}`,
        begin,
      );
    const value = environment[name];
    at = NAME.lastIndex;
    if (next === "}") {
      if (value === undefined)
        throw new SubstitutionError(
          `the environment has no variable ${name}; set it, or give a default: \${${name}:-default}`,
          begin,
        );
      result += value;
    } else {
      const end = endOf(text, at);
      if (end < 0) throw new SubstitutionError(`the default of \${${name}:- has no "}" at its end`, begin);
      result += value !== undefined && value !== "" ? value : inner(text.slice(at, end), at, environment);
      at = end + 1;
    }
  }
  return result + text.slice(at);
}

function inner(text: string, offset: number, environment: Environment): string {
  try {
    return substitute(text, environment);
  } catch (error) {
    if (error instanceof SubstitutionError) throw new SubstitutionError(error.message, offset + error.index);
    throw error;
  }
}

/** Where the brace is that ends what begins here; -1 for nowhere. */
function endOf(text: string, from: number): number {
  let depth = 0;
  for (let index = from; index < text.length; index++) {
    if (text.startsWith("${", index) && text[index - 1] !== "$") depth += 1;
    else if (text[index] === "}" && depth-- === 0) return index;
  }
  return -1;
}
