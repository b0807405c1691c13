import assert from "node:assert/strict";
import { test } from "node:test";
import { lintel } from "./cli-process.ts";

const NOWHERE = { env: { LINTEL_HUB: "tcp://127.0.0.1:1" } };

const COMMANDS = [
  "serve",
  "work",
  "work-app",
  "request",
  "publish",
  "subscribe",
  "expose",
  "tunnel",
  "up",
  "ps",
  "logs",
  "restart",
  "scale",
];

test("lintel --help shows every command, examples and exit codes", async () => {
  const { exit, stdout, stderr } = await lintel(["--help"]);
  assert.equal(exit, 0);
  assert.equal(stderr, "");
  for (const word of [...COMMANDS, "Exit codes:", "curl -d"]) {
    assert.ok(stdout.includes(word), word);
  }
});

test("each command has help with examples", async () => {
  const all = await Promise.all(COMMANDS.map((name) => lintel([name, "--help"])));
  for (const [index, { exit, stdout }] of all.entries()) {
    const name = COMMANDS[index];
    assert.equal(exit, 0, name);
    assert.match(stdout, new RegExp(`^Usage: lintel ${name}\\b`), name);
    assert.match(stdout, new RegExp(`Examples:\n  (.*\\| )?lintel ${name}\\b`), name);
  }
  assert.equal((await lintel(["help", "work"])).stdout, all[1]?.stdout);
});

test("lintel --version prints the version of the package", async () => {
  const { exit, stdout } = await lintel(["--version"]);
  assert.equal(exit, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\S*\n$/);
});

test("lintel alone prints help and fails", async () => {
  const { exit, stderr } = await lintel([]);
  assert.equal(exit, 2);
  assert.match(stderr, /^Usage: lintel /);
});

/** Everything here is refused before a connection is tried. */
const REFUSED: readonly [args: string[], stderr: RegExp][] = [
  [
    ["serv"],
    /^lintel: USAGE: unknown command 'serv'\n\(Did you mean serve\?\)\n`lintel --help` tells more\.\n$/,
  ],
  [["--verbos"], /^lintel: USAGE: unknown option '--verbos'/],
  [
    ["request", "a", "--jsn"],
    /^lintel: USAGE: unknown option '--jsn'\n\(Did you mean --json\?\)\n`lintel request --help`/,
  ],
  [["request"], /^lintel: USAGE: missing required argument 'subject'/],
  [["request", "a", "b", "c"], /^lintel: USAGE: too many arguments/],
  [["request", "a b"], /"a b" is not a subject: tokens are/],
  [["request", "a.*"], /"a\.\*" is not a subject/],
  [["request", "a..b"], /it has an empty token/],
  [["publish", "a.>"], /"a\.>" is not a subject/],
  [["subscribe", "a.>.b"], /"a\.>\.b" is not a pattern/],
  [["request", "a", "--timeout", "soon"], /It must be seconds, or a time such as/],
  [["request", "a", "--timeout", "0"], /It must be seconds/],
  [["request", "a", "--header", "novalue"], /It must be of the form 'Name: value'/],
  [["request", "a", "--header", "bad name: x"], /"bad name" is not a header name/],
  [["request", "a", "--hub", "localhost"], /It must be a URL such as/],
  [["request", "a", "--hub", "gopher://x:1"], /^lintel: USAGE: "gopher:\/\/x:1" has no known transport/],
  [["request", "a", "{", "--json"], /^lintel: USAGE: the body is not JSON: /],
  [["request", "a", "--json"], /^lintel: USAGE: --json needs a body/],
  [["publish", "a", "text", "--lines"], /^lintel: USAGE: --lines reads stdin/],
  [["subscribe", "a", "--count", "0"], /It must be a whole number from 1/],
  [["subscribe", "a", "--format", "xml"], /Allowed choices are raw, json/],
  [["work", "a"], /^lintel: USAGE: missing required argument 'command'/],
  [
    ["work", "a", "--", "no-such-command-here"],
    /^lintel: COMMAND_NOT_FOUND: cannot start "no-such-command-here"/,
  ],
  [["work", "a", "--", "/etc/passwd"], /^lintel: COMMAND_NOT_FOUND: cannot start "\/etc\/passwd"/],
  [["work", "a", "--lines", "--stream", "--", "cat"], /^lintel: USAGE: --stream starts a process for every/],
  [
    ["work", "a", "--lines", "--type", "a/b", "--", "cat"],
    /^lintel: USAGE: --type cannot be used with --lines/,
  ],
  [["expose", "a.*", "127.0.0.1:1"], /"a\.\*" is not a subject/],
  [["expose", "a", "5432"], /It must be HOST:PORT or unix:PATH/],
  [["expose", "a", "127.0.0.1:0"], /It must be HOST:PORT or unix:PATH/],
  [["expose", "a", "h:1", "--idle-timeout", "never"], /It must be off, seconds, or a time/],
  [["tunnel", "--subject", "a"], /required option '-l, --listen <host:port>' not specified/],
  [["tunnel", "--listen", "x", "--subject", "a"], /It must be HOST:PORT or a port/],
  [
    ["tunnel", "--listen", "1", "--subject", "a", "--max-connections", "0"],
    /It must be a whole number from 1/,
  ],
  [["scale", "greet"], /It must be NAME=NUMBER, such as greet=3/],
  [["logs"], /missing required argument 'name'/],
  [["logs", "a", "--lines", "some"], /It must be a whole number/],
  [["up", "--config", "/nonexistent.yaml"], /^lintel: NO_CONFIG: cannot read \/nonexistent\.yaml/],
  [["serve", "--http", "nonsense:port"], /It must be off or HOST:PORT/],
  [["serve", "--listen", "4500"], /is not a URL such as/],
  [["serve", "--log", "xml"], /Allowed choices are text, json, off/],
  [["serve", "--config", "/nonexistent.yaml"], /^lintel: NO_CONFIG: cannot read \/nonexistent\.yaml/],
];

test("wrong usage exits with 2, says what is wrong and where help is", async () => {
  const workers = 4;
  const queue = [...REFUSED];
  const drainQueue = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [args, pattern] = next;
      const { exit, stdout, stderr } = await lintel(args, NOWHERE);
      assert.match(stderr, pattern, args.join(" "));
      assert.equal(exit, 2, args.join(" "));
      assert.equal(stdout, "", args.join(" "));
    }
  };
  await Promise.all(Array.from({ length: workers }, drainQueue));
});

test("no hub: exit code 3 and how to start one", async () => {
  const { exit, stdout, stderr } = await lintel(["request", "greet", "--timeout", "200ms"], NOWHERE);
  assert.equal(exit, 3);
  assert.equal(stdout, "");
  assert.match(stderr, /^lintel: NOT_CONNECTED: .*127\.0\.0\.1:1.*\n {2}start a hub with `lintel serve`/);
});
