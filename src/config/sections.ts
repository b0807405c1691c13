/** All that the configuration consists of: one section for each key at the top of the file. */
import { builtInKinds } from "../gateway/registry.ts";
import { boolean, hinted, list, option, text } from "../schema/fields.ts";
import type { JsonSchema, OptionFlag, Section } from "../schema/section.ts";
import { tls } from "../transport/config.ts";
import { access } from "../access/config.ts";
import { engine } from "./engine.ts";
import { inlined, mapOf } from "./json-schema.ts";
import { limits } from "./limits.ts";
import { services } from "./services.ts";

/** A section with what its schema says in JSON Schema, worked out when it is asked for; empty for one that says nothing. */
export class ReadySection {
  readonly section: Section;
  #json: JsonSchema | undefined;

  constructor(section: Section) {
    this.section = section;
  }

  get json(): JsonSchema {
    const convert = this.section.schema?.["~standard"].jsonSchema;
    return (this.#json ??= convert === undefined ? {} : inlined(convert.input({ target: "draft-07" })));
  }
}

export class Sections {
  readonly #all = new Map<string, ReadySection>();

  /** Keys at the top of the file. */
  get keys(): string[] {
    return [...this.#all].flatMap(([key, { section }]) => [key, ...(section.topLevel ?? [])]);
  }

  get flags(): OptionFlag[] {
    return [...this.#all.values()].flatMap(({ section }) => section.flags ?? []);
  }

  /** What sections have to say in the help of the command line. */
  get help(): { readonly notes: string[]; readonly examples: string[] } {
    const all = [...this.#all.values()].map(({ section }) => section);
    return {
      notes: all.flatMap(({ help = [] }) => help),
      examples: all.flatMap(({ examples = [] }) => examples),
    };
  }

  add(key: string, section: Section): void {
    this.#all.set(key, new ReadySection(section));
  }

  get(key: string): ReadySection | undefined {
    return this.#all.get(key);
  }

  /** The section that a key at the top belongs to, with the name of the option there: `routes` is `http.routes`. */
  ownerOf(key: string): string | undefined {
    for (const [name, { section }] of this.#all) if (section.topLevel?.includes(key) === true) return name;
    return undefined;
  }

  /** The schema of a key at the top. Undefined for one that there is not. */
  schemaOf(key: string): JsonSchema | undefined {
    const owner = this.ownerOf(key);
    if (owner === undefined) return this.get(key)?.json;
    return mapOf(this.get(owner)?.json ?? {})?.properties?.[key];
  }
}

/** The sections that are always there. Services start in `folder`, unless they say otherwise. */
export async function loadSections(folder: string): Promise<Sections> {
  const sections = new Sections();
  for (const kind of builtInKinds.toReversed()) {
    const section = await kind.config?.();
    if (section !== undefined) sections.add(kind.key ?? kind.name, section);
  }
  sections.add("access", access);
  sections.add("insecure", {
    schema: option(
      "Listen where other machines can reach the hub though there is no `access`: everybody may do everything.",
      boolean(),
      "`false`",
    ),
    flags: [
      {
        flag: "--insecure",
        about: "let everybody who can reach the hub do everything, also from other machines",
        path: ["insecure"],
      },
    ],
  });
  sections.add("accessLog", ACCESS_LOG);
  sections.add("tls", TLS);
  sections.add("engine", engine);
  sections.add("limits", { schema: limits });
  sections.add("services", {
    schema: option("What `lintel up` starts next to the hub, by name.", services(folder)),
  });
  sections.add(GATEWAYS, {
    schema: option(
      "Gateways of your own: modules whose default export is a kind of gateway. The name of a kind is then a key of the file.",
      list(hinted(text(), { title: "a module", isPath: true })),
    ),
  });
  return sections;
}

export const GATEWAYS = "gateways";

const ACCESS_LOG: Section = {
  schema: option(
    "The file for a line of JSON for each refusal and each act of administration; `-` for stderr, `off` for none.",
    hinted(text(), { title: "a file, -, or off", isPath: true }),
    "`off`",
  ),
  flags: [
    {
      flag: "--access-log <file>",
      about: "file for a line of JSON for each refusal and each change of rights; - for stderr",
      path: ["accessLog"],
    },
  ],
};

const TLS: Section = {
  schema: option("Certificates for every gateway that takes some and has none of its own.", tls()),
  flags: [
    {
      flag: "--tls-cert <file>",
      about: "certificate in PEM, with its chain, for HTTP and for URLs with TLS",
      path: ["tls", "cert"],
    },
    { flag: "--tls-key <file>", about: "private key of the certificate, in PEM", path: ["tls", "key"] },
  ],
  variable: "LINTEL_HUB_TLS", // LINTEL_TLS_CERT and similar are for clients that connect to a hub
};
