/** How `lintel up` sees that its file has changed, and what it does with one that says nothing. */
import assert from "node:assert/strict";
import { appendFile, mkdir, rename, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ManifestWatch } from "../../src/cli/manifest-watch.ts";
import { readConfigFile } from "../../src/cli/config-file.ts";
import { until } from "../house/until.ts";
import { Project } from "./up-harness.ts";
import type { Running } from "./cli-process.ts";

const manifest = (version: string): string =>
  `services: { a: { command: exec sleep 1000, environment: { V: ${version} } } }\n`;

/** What was made of a file that is replaced in some way: the versions that were seen, in order. */
async function seen(
  change: (file: string, directory: string) => Promise<void>,
  last: string,
  from?: (directory: string) => Promise<string>,
): Promise<string[]> {
  await using project = await Project.create({ manifest: manifest("first") });
  const file = (await from?.(project.path)) ?? join(project.path, "lintel.yaml");
  const versions: string[] = [];
  const config = await readConfigFile(file);
  const watch = new ManifestWatch(file, config, ({ services = [] }) => {
    versions.push(services[0]?.environment["V"] ?? "none");
  });
  try {
    await change(file, project.path);
    await until(() => versions.includes(last), `${last} is seen`);
    return versions;
  } finally {
    watch.close();
  }
}

const CHANGES: readonly [how: string, change: (file: string, directory: string) => Promise<void>][] = [
  ["written over", (file) => writeFile(file, manifest("second"))],
  [
    "emptied, then written",
    async (file) => {
      await truncate(file);
      await writeFile(file, manifest("second"));
    },
  ],
  [
    "written in pieces",
    async (file) => {
      const text = manifest("second");
      await writeFile(file, text.slice(0, 20));
      await appendFile(file, text.slice(20));
    },
  ],
  [
    "renamed over",
    async (file, directory) => {
      await writeFile(join(directory, "new"), manifest("second"));
      await rename(join(directory, "new"), file);
    },
  ],
  [
    "deleted and made anew",
    async (file) => {
      await unlink(file);
      await writeFile(file, manifest("second"));
    },
  ],
  [
    "moved away and made anew",
    async (file) => {
      await rename(file, `${file}~`);
      await writeFile(file, manifest("second"));
    },
  ],
  [
    "a link instead",
    async (file, directory) => {
      await writeFile(join(directory, "other"), manifest("second"));
      await unlink(file);
      await symlink("other", file);
    },
  ],
];

for (const [how, change] of CHANGES)
  test(`a manifest is seen to have changed: ${how}`, async () => {
    assert.deepEqual(await seen(change, "second"), ["second"]);
  });

test("a manifest is seen to have changed: its directory is swapped by a link, as mounted ConfigMaps are", async () => {
  // lintel.yaml -> ..data/lintel.yaml, ..data -> ..one
  const mount = async (directory: string): Promise<string> => {
    const volume = join(directory, "volume");
    for (const [name, version] of [
      ["..one", "first"],
      ["..two", "second"],
    ] as const) {
      await mkdir(join(volume, name), { recursive: true });
      await writeFile(join(volume, name, "lintel.yaml"), manifest(version));
    }
    await symlink("..one", join(volume, "..data"));
    await symlink(join("..data", "lintel.yaml"), join(volume, "lintel.yaml"));
    return join(volume, "lintel.yaml");
  };
  const swap = async (_: string, directory: string): Promise<void> => {
    const volume = join(directory, "volume");
    await symlink("..two", join(volume, "..new"));
    await rename(join(volume, "..new"), join(volume, "..data"));
    await rm(join(volume, "..one"), { recursive: true });
  };
  assert.deepEqual(await seen(swap, "second", mount), ["second"]);
});

test("a manifest is seen to have changed: a link somewhere above it", async () => {
  const make = async (directory: string): Promise<string> => {
    for (const [name, version] of [
      ["v1", "first"],
      ["v2", "second"],
    ] as const) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, "lintel.yaml"), manifest(version));
    }
    await symlink("v1", join(directory, "current"));
    return join(directory, "current", "lintel.yaml");
  };
  const swap = async (_: string, directory: string): Promise<void> => {
    await symlink("v2", join(directory, "next"));
    await rename(join(directory, "next"), join(directory, "current"));
  };
  assert.deepEqual(await seen(swap, "second", make), ["second"]);
});

test("a file that says nothing of services changes nothing, `services: {}` ends them all", async () => {
  await using project = await Project.create({ manifest: manifest("1") });
  await using up: Running = project.up();
  await up.prints(/every service is ready/, "stderr");
  const { pid } = await project.becomes("a.1", "ready");
  const goesOn = /everything goes on as before/g;
  for (const [index, text] of [
    "",
    "# nothing\n",
    "---\n",
    "services:\n",
    "services: { a: { comm",
    "limits: { queue: 5 }\n",
    "\0\0\0",
  ].entries()) {
    await project.write(text);
    await until(
      () => (up.stderr.match(goesOn) ?? []).length > index,
      `it is told of ${JSON.stringify(text)}`,
    );
  }
  await unlink(join(project.path, "lintel.yaml"));
  await until(() => (up.stderr.match(goesOn) ?? []).length > 7, "it is told that the file is gone");
  assert.equal((await project.becomes("a.1", "ready")).pid, pid);
  assert.doesNotMatch(up.stderr, /stopped|restarted/);
  await project.write("services: {}\n");
  await up.prints(/^lintel: stopped: a$/m, "stderr");
  assert.equal((await up.stop()).exit, 0);
});

test("a service whose directory or program is missing says so, and starts once they are there", async () => {
  const services = [
    "nowhere: { command: pwd, directory: absent, restart: { first: 10ms, last: 50ms } }",
    "file: { command: [sleep, 1000], directory: lintel.yaml, restart: never }",
    "absent: { command: [./absent/program], restart: never }",
    "plain: { command: [./lintel.yaml], restart: never }",
  ];
  await using project = await Project.create({
    manifest: `services:\n${services.map((one) => `  ${one}\n`).join("")}`,
  });
  await using up = project.up();
  for (const complaint of [
    /nowhere\.1 cannot be started: its directory \S+absent does not exist; again in/,
    /file\.1 cannot be started: its directory \S+lintel\.yaml is not a directory/,
    /absent\.1 cannot be started: the program \S+absent\/program does not exist/,
    /plain\.1 cannot be started: the program \S+lintel\.yaml is not executable/,
  ])
    await up.prints(complaint, "stderr");
  await mkdir(join(project.path, "absent"));
  await up.prints(/nowhere\.1 \| \S+absent$/m);
  assert.equal((await up.stop()).exit, 0);
});
