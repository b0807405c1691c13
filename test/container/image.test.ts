/**
 * The Dockerfile and compose.yaml, as far as they can be held to the rest without an engine of containers: what they
 * copy, mount and start exists, ports are those that are listened on, and what runs in them runs here.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { readConfig } from "../../src/config/config.ts";
import { createHub } from "../../src/index.ts";
import { Running, start } from "../cli/cli-process.ts";
import { root } from "../house/root.ts";

const read = (path: string): string => readFileSync(join(root, path), "utf8");

interface Step {
  readonly instruction: string;
  readonly words: readonly string[];
  readonly text: string;
}

/** The stages of the Dockerfile, each with its instructions. */
const stages = read("Dockerfile")
  .replaceAll(/^\s*#.*\n/gm, "")
  .replaceAll(/\\\n/g, " ")
  .split("\n")
  .filter((line) => line.trim() !== "")
  .map((line): Step => {
    const [instruction = "", ...words] = line.trim().split(/\s+/);
    return { instruction, words, text: words.join(" ") };
  })
  .reduce<Step[][]>((all, step) => {
    if (step.instruction === "FROM") all.push([]);
    all.at(-1)!.push(step);
    return all;
  }, []);
const image = stages.at(-1)!;

const last = (instruction: string): string =>
  image.findLast((step) => step.instruction === instruction)?.text ?? "";

interface ComposeService {
  readonly image: string;
  readonly build?: string;
  readonly command?: string[];
  readonly entrypoint?: string[];
  readonly environment?: Record<string, string>;
  readonly volumes?: string[];
  readonly ports?: string[];
  readonly profiles?: string[];
  readonly depends_on?: string[];
}

const compose = parse(read("compose.yaml"), { merge: true }) as { services: Record<string, ComposeService> };
const { hub: hubService, nats, ...workers } = compose.services;

test("what the Dockerfile copies exists, and .dockerignore lets it in and nothing else", () => {
  const copied = stages
    .flat()
    .filter(({ instruction, text }) => instruction === "COPY" && !text.startsWith("--from="))
    .flatMap(({ words }) => words.slice(0, -1));
  for (const path of copied) assert.ok(existsSync(join(root, path)), `${path} is copied and does not exist`);
  const [everything, ...allowed] = read(".dockerignore").trimEnd().split("\n").slice(1);
  assert.equal(everything, "*");
  const needed = new Set(copied.map((path) => `!${path.split("/")[0]}`));
  assert.deepEqual(allowed.toSorted(), [...needed].toSorted());
});

test("stages take from each other what is there, on a Node that tests run on", () => {
  const [, tested = ""] = /for version in ([\d ]+); do/.exec(read(".ci/run")) ?? [];
  for (const stage of stages) {
    const [, major = ""] = /^node:(\d+)-slim\b/.exec(stage[0]!.text) ?? [];
    assert.ok(tested.split(" ").includes(major), stage[0]!.text);
  }
  const names = new Set(stages.map(([from]) => / AS (\w+)$/.exec(from!.text)?.[1]));
  for (const { text } of image) {
    const [, from] = /^--from=(\w+)/.exec(text) ?? [];
    assert.ok(from === undefined || names.has(from), text);
  }
});

test("the image starts as a user that is not root, without a shell", () => {
  assert.match(last("USER"), /^[1-9]\d*:[1-9]\d*$/);
  assert.deepEqual(JSON.parse(last("ENTRYPOINT")), ["lintel"]);
  assert.deepEqual(JSON.parse(last("CMD")), ["serve"]);
  const [, target = "", name] = /^ln -s (\S+) \/usr\/local\/bin\/(\S+)$/.exec(last("RUN")) ?? [];
  assert.equal(name, "lintel");
  const { bin } = JSON.parse(read("package.json")) as { bin: { lintel: string } };
  assert.equal(target, `/srv/node_modules/lintel/${bin.lintel}`);
});

test("the image listens outside of its loopback, on the ports that it names", async () => {
  const copy = image.find(({ words }) => words.at(-1) === "/srv/lintel.yaml");
  const { http, listen = [] } = await readConfig(join(root, copy!.words[0]!));
  assert.ok(typeof http === "object");
  const urls = [`http://${http.listen}`, ...listen.map(String)].map((url) => new URL(url));
  for (const { hostname } of urls) assert.equal(hostname, "0.0.0.0");
  assert.deepEqual(
    urls.map(({ port }) => port),
    last("EXPOSE").split(" "),
  );
  assert.ok(last("WORKDIR") === "/srv", "lintel.yaml is found in the current directory");
});

/** Runs the health check of the image, with LINTEL_HUB as a container may have it. */
async function health(url: string): Promise<number | string | null> {
  const [, words = ""] = /CMD (\[.*\])$/.exec(last("HEALTHCHECK")) ?? [];
  const [program, script = ""] = JSON.parse(words) as string[];
  assert.equal(program, "node");
  const file = script.replace("/srv/node_modules/lintel/", "");
  await using check = new Running(process.execPath, [file], { cwd: root, env: { LINTEL_HUB: url } });
  return (await check.ended).exit;
}

test("the health check tells a hub from none", async () => {
  const hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const [url = ""] = hub.urls;
  assert.equal(await health(url), 0);
  await hub.close();
  assert.equal(await health(url), 1);
});

test("compose.yaml: only the hub has a port, on this machine's loopback; NATS waits for its profile", () => {
  assert.deepEqual(hubService?.ports, ["127.0.0.1:8500:8500"]);
  assert.deepEqual(Object.keys(workers), ["greet", "upper"]);
  for (const worker of Object.values(workers)) {
    assert.equal(worker.ports, undefined);
    assert.deepEqual(worker.depends_on, ["hub"]);
    assert.deepEqual([worker.image, worker.build], [hubService.image, hubService.build]);
    assert.equal(worker.environment?.["LINTEL_HUB"], "tcp://hub:4500");
  }
  assert.deepEqual(nats?.profiles, ["nats"]);
});

test("compose.yaml: its workers answer", async () => {
  await using hub = await createHub({ http: false, listen: ["tcp://127.0.0.1:0"] });
  const [url = ""] = hub.urls;
  const here = (words: readonly string[]): string[] =>
    words.map((word) => (word === "tcp://hub:4500" ? url : word));
  for (const { volumes } of Object.values(workers))
    assert.deepEqual(volumes, ["./examples:/srv/examples:ro"]);
  const [node, ...args] = here(workers["greet"]?.entrypoint ?? []);
  assert.equal(node, "node");
  await using greet = new Running(process.execPath, args, { cwd: root });
  await using upper = start(here(workers["upper"]?.command ?? []), { cwd: root, env: { LINTEL_HUB: url } });
  await greet.prints(/serving "greet"/);
  await upper.prints(/serving upper/, "stderr");
  assert.deepEqual(await hub.request("greet", { name: "Ada" }), { hello: "Ada" });
  assert.equal(String(Buffer.from(await hub.request<Uint8Array>("upper", "hello"))), "HELLO");
  assert.deepEqual([(await greet.stop()).exit, (await upper.stop()).exit], [0, 0]);
});
