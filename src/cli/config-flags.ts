/** Flags that set options of the configuration. They are declared where the options are. */
import { Option, type Command } from "commander";
import type { Overrides } from "../config/config.ts";
import type { Sections } from "../config/sections.ts";
import { usage } from "./failure.ts";

/** Adds the flags, and gives the sections of the configuration that have declared them. */
export async function addConfigFlags(command: Command): Promise<Sections> {
  const { loadSections } = await import("../config/sections.ts");
  const sections = await loadSections(process.cwd());
  for (const { flag, about, isRepeatable } of sections.flags) {
    const option = new Option(flag, about);
    if (isRepeatable === true)
      option.argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);
    command.addOption(option);
  }
  return sections;
}

/** What goes before the file: the flags that are given, and the environment. */
export function overridesOf(sections: Sections, flags: Readonly<Record<string, unknown>>): Overrides {
  const given = sections.flags.flatMap((flag) => {
    const value = flags[new Option(flag.flag).attributeName()];
    const texts = value === true ? ["true"] : [value].flat(); // true: of a flag without an argument
    const values = texts.filter((one) => typeof one === "string");
    return values.length === 0 ? [] : [{ flag, values }];
  });
  const isGiven = (name: string): boolean => given.some(({ flag }) => flag.flag.startsWith(`${name} `));
  if (isGiven("--tls-cert") !== isGiven("--tls-key")) throw usage("--tls-cert and --tls-key go together");
  return { environment: process.env, flags: given };
}
