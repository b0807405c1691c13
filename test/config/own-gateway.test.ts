/** Kinds of gateways that a file names: their modules are loaded, and their names are keys of the file. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { parseConfig, type FileConfig } from "../../src/config/config.ts";
import { LintelError } from "../../src/message/failure.ts";
import { root } from "../house/root.ts";

const OPEN = "open: async () => ({ name: 'x', urls: [], stats: () => ({}), drain() {}, close() {} })";

/** With a schema of zod, by its Standard Schema alone, and with none. */
const MODULES: Readonly<Record<string, string>> = {
  "zodded.js": `
    import { z } from ${JSON.stringify(pathToFileURL(join(root, "node_modules/zod/index.js")).href)};
    const schema = z.strictObject({ port: z.number().describe("where"), words: z.array(z.string()).optional() });
    export default { name: "zodded", config: async () => ({ schema }), ${OPEN} };`,
  "plain.js": `
    const validate = (value) => typeof value.depth === "number" ? { value: { depth: value.depth * 2 } }
      : { issues: [{ message: "it is no number", path: ["depth"] }] };
    const schema = { "~standard": { version: 1, vendor: "me", validate } };
    export default { name: "plain", config: async () => ({ schema }), ${OPEN} };`,
  "bare.js": `export default { name: "bare", ${OPEN} };`,
  "http.js": `export default { name: "http", ${OPEN} };`,
  "none.js": "export default 5;",
};

let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "lintel-own-"));
  await Promise.all(Object.entries(MODULES).map(([name, text]) => writeFile(join(folder, name), text)));
});

after(() => rm(folder, { recursive: true }));

function read(source: string, environment: Readonly<Record<string, string>> = {}): Promise<FileConfig> {
  return parseConfig(source, join(folder, "lintel.yaml"), { environment });
}

async function problems(source: string, environment = {}): Promise<string[]> {
  const error = await read(source, environment).then(
    (config) => assert.fail(`was taken as ${JSON.stringify(config)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LintelError);
  return error.message.replaceAll(`${folder}/`, "").split("\n");
}

const summary = ({ gateways = [] }: FileConfig): unknown =>
  gateways.map(({ kind, options }) => [kind.name, options]);

test("kinds have options from the file, by what they declare, if anything", async () => {
  const source = `
gateways: [./zodded.js, plain.js, ./bare.js]
http: 0
zodded: { port: "\${PORT:-5}", words: [a] }
plain: { depth: 3 }
bare: { any: [1, { thing: 3.5 }] }
`;
  const config = await read(source);
  assert.deepEqual(config.http, { listen: 0 });
  assert.deepEqual(summary(config), [
    ["zodded", { port: 5, words: ["a"] }],
    ["plain", { depth: 6 }],
    ["bare", { any: [1, { thing: 3.5 }] }],
  ]);
});

test("a kind without a key has no options, and false keeps it closed", async () => {
  assert.deepEqual(summary(await read("gateways: [bare.js]")), [["bare", {}]]);
  assert.deepEqual(summary(await read("gateways: [bare.js]\nbare:")), [["bare", {}]]);
  assert.deepEqual(summary(await read("gateways: [bare.js]\nbare: false")), []);
});

test("they have variables, too", async () => {
  const variables = {
    LINTEL_GATEWAYS: `${join(folder, "zodded.js")}, ${join(folder, "bare.js")}`,
    LINTEL_ZODDED_PORT: "7",
    LINTEL_BARE: "{ a: 1 }",
  };
  assert.deepEqual(summary(await read("", variables)), [
    ["zodded", { port: 7 }],
    ["bare", { a: 1 }],
  ]);
});

test("what is wrong is told at its place", async () => {
  const source = `gateways:
  - zodded.js
  - plain.js
  - nowhere.js
  - none.js
  - http.js
zodded:
  port: a
  prot: 5
plain: { depth: x }
bare: {}
`;
  const found = await problems(source);
  assert.match(found[0] ?? "", /^lintel\.yaml:4:5: cannot load nowhere\.js: /);
  assert.deepEqual(
    found
      .filter((line) => line.startsWith("lintel.yaml"))
      .slice(1)
      .map((line) => line.replace(/allowed: .*, zodded/, "allowed: ..., zodded")),
    [
      "lintel.yaml:5:5: the default export of none.js is no kind of gateway { name, open }",
      'lintel.yaml:6:5: there is a "http" already',
      "lintel.yaml:8:9: port: Invalid input: expected number, received string",
      'lintel.yaml:9:3: zodded has no key "prot"; did you mean "port"?',
      "lintel.yaml:10:17: depth: it is no number",
      'lintel.yaml:11:1: the file has no key "bare"; allowed: ..., zodded, plain',
    ],
  );
  const variable = { LINTEL_ZODDED_PROT: "5" };
  assert.deepEqual(await problems("gateways: [zodded.js]\nzodded: { port: 1 }", variable), [
    "LINTEL_ZODDED_PROT: there is no option of this name; did you mean LINTEL_ZODDED_PORT?",
  ]);
});
