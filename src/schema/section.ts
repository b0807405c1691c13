/**
 * What one part of the configuration declares about itself. Validation, the JSON Schema, the variables of the environment,
 * the flags of the command line and the reference table are derived from it.
 */

/** A schema of any library that keeps to https://standardschema.dev. */
export interface StandardSchema<T = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Outcome<T> | Promise<Outcome<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
    /** Not every library has it. Without it there is no reference, and no variable for each option. */
    readonly jsonSchema?: { readonly input: (options: { readonly target: "draft-07" }) => JsonSchema };
  };
}

type Outcome<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  /** Of zod: what each member of a union has against the value. */
  readonly errors?: readonly (readonly SchemaIssue[])[];
  /** Of zod: what is wrong with a key. */
  readonly issues?: readonly SchemaIssue[];
  /** Of zod: the words that are allowed. */
  readonly values?: readonly unknown[];
  readonly code?: string;
  readonly params?: { readonly isSentence?: boolean; readonly isAboutKey?: boolean } | undefined;
}

/** The keywords of JSON Schema (draft 7) that the configuration reads. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly $ref?: string;
  readonly lintel?: Hints;
}

/** What JSON Schema has no keyword for. It is left out of the schema that is published. */
export interface Hints {
  /** What messages call the value: `a route`. A `*` stands for its key. Default: its key. */
  readonly title?: string;
  /** The default, as the reference shows it. */
  readonly default?: string;
  /** It may be a secret, so no message repeats it. */
  readonly isSecret?: boolean;
  /** A file: relative paths lead from the folder of the config file. */
  readonly isPath?: boolean;
  /** Any value, whose numbers keep their digits: one that JavaScript would change comes as `JsonText`. */
  readonly keepsDigits?: boolean;
  /** Text for a shell, which replaces `${NAME}` itself. */
  readonly isShellText?: boolean;
  /** Of a map: the key that one word in place of the map stands for. */
  readonly short?: string;
}

/** A flag of `lintel serve` that sets one option. */
export interface OptionFlag {
  /** As `--help` shows it: `--http <host:port>`. */
  readonly flag: string;
  readonly about: string;
  /** From the top of the file: `["http", "listen"]`. */
  readonly path: readonly string[];
  /** `off` sets the first key of the path to false. */
  readonly takesOff?: boolean;
  /** May be repeated; the option is a list. */
  readonly isRepeatable?: boolean;
}

/** One key at the top of the file. */
export interface Section<T = unknown> {
  /** Without one, what the file says is taken as it is. */
  readonly schema?: StandardSchema<T>;
  readonly flags?: readonly OptionFlag[];
  /** Keys at the top that mean the option of that name in this section: `routes` is `http.routes`. */
  readonly topLevel?: readonly string[];
  /** For `lintel serve --help`: what is worth knowing, as lines of text, and commands to try. */
  readonly help?: string;
  readonly examples?: readonly string[];
  /** First part of the names of variables. Default: `LINTEL_` and the key. */
  readonly variable?: string;
}
