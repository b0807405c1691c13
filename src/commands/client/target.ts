import { checkArgument, text } from "../../message/options.ts";
import { urlText } from "../../message/url-text.ts";
import type { CommandLine } from "../line.ts";

/** A server, and the way to it, which is opened again after each loss. */
export interface CommandTarget {
  /** For errors: a URL without what may be secret, or the name of a program. */
  readonly name: string;
  /** True when a token may be put into the URL. */
  readonly hasQuery: boolean;
  /** Opens a line, with `token` in the query of the URL if there is one. Gives up when the signal fires. */
  dial(signal: AbortSignal, token: string | undefined): Promise<CommandLine>;
}

/** Finds the servers of URLs. Throws a TypeError that gives these forms when `find` knows none. */
export function urlTarget(
  find: (url: string) => CommandTarget | undefined,
  ...forms: readonly string[]
): (url: string) => CommandTarget {
  return (url) => {
    checkArgument("connectCommands", "the URL", url, text);
    const target = find(url);
    if (target === undefined)
      throw new TypeError(`"${urlText(url)}" is not of the form ${forms.join(" or ")}`);
    return target;
  };
}
