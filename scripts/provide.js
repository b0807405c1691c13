/**
 * Makes sure that a program which some tests need is on this machine: finds it, or else installs it
 * with the system's package manager.
 *
 *   node scripts/provide.js nats-server wrk chromium python3 nginx haproxy postgres psql
 *   node scripts/provide.js protoc grpc_python_plugin python3-grpcio python3-websockets
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Names of the executables to look for, and the package that brings them, for each package manager. With `module`, it is
 * the Python that can import it.
 * @type {Record<string, { names: string[], module?: string, packages: Partial<Record<"apt-get" | "apk" | "dnf" | "brew", string>> }>}
 */
const programs = {
  "nats-server": {
    names: ["nats-server"],
    packages: { "apt-get": "nats-server", apk: "nats-server", dnf: "nats-server", brew: "nats-server" },
  },
  wrk: {
    names: ["wrk"],
    packages: { "apt-get": "wrk", apk: "wrk", dnf: "wrk", brew: "wrk" },
  },
  curl: {
    names: ["curl"],
    packages: { "apt-get": "curl", apk: "curl", dnf: "curl", brew: "curl" },
  },
  jq: {
    names: ["jq"],
    packages: { "apt-get": "jq", apk: "jq", dnf: "jq", brew: "jq" },
  },
  chromium: {
    names: ["chromium", "chromium-browser", "google-chrome"],
    packages: { "apt-get": "chromium", apk: "chromium", dnf: "chromium", brew: "chromium" },
  },
  python3: {
    names: ["python3"],
    packages: { "apt-get": "python3", apk: "python3", dnf: "python3", brew: "python3" },
  },
  postgres: {
    names: ["postgres"],
    packages: { "apt-get": "postgresql", apk: "postgresql", dnf: "postgresql-server", brew: "postgresql" },
  },
  psql: {
    names: ["psql"],
    packages: {
      "apt-get": "postgresql-client",
      apk: "postgresql-client",
      dnf: "postgresql",
      brew: "postgresql",
    },
  },
  nginx: {
    names: ["nginx"],
    packages: { "apt-get": "nginx-light", apk: "nginx", dnf: "nginx", brew: "nginx" },
  },
  haproxy: {
    names: ["haproxy"],
    packages: { "apt-get": "haproxy", apk: "haproxy", dnf: "haproxy", brew: "haproxy" },
  },
  protoc: {
    names: ["protoc"],
    packages: {
      "apt-get": "protobuf-compiler",
      apk: "protoc",
      dnf: "protobuf-compiler",
      brew: "protobuf",
    },
  },
  grpc_python_plugin: {
    names: ["grpc_python_plugin"],
    packages: { "apt-get": "protobuf-compiler-grpc", apk: "grpc-plugins", dnf: "grpc-plugins", brew: "grpc" },
  },
  "python3-grpcio": {
    names: ["python3"],
    module: "grpc",
    packages: { "apt-get": "python3-grpcio", apk: "py3-grpcio", dnf: "python3-grpcio", brew: "grpc" },
  },
  "python3-websockets": {
    names: ["python3"],
    module: "websockets",
    packages: {
      "apt-get": "python3-websockets",
      apk: "py3-websockets",
      dnf: "python3-websockets",
    },
  },
};

/** @type {{ name: "apt-get" | "apk" | "dnf" | "brew", refresh: string[], install: string[], root: boolean }[]} */
const managers = [
  {
    name: "apt-get",
    refresh: ["update"],
    // Tests run side by side, and two may install at the same time.
    install: ["-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends"],
    root: true,
  },
  { name: "apk", refresh: ["update"], install: ["add"], root: true },
  { name: "dnf", refresh: ["makecache"], install: ["install", "-y"], root: true },
  { name: "brew", refresh: ["update"], install: ["install"], root: false },
];

/** @returns {string[]} PATH, and the folders where packages put servers without adding them to PATH */
function folders() {
  const debian = "/usr/lib/postgresql";
  const servers = existsSync(debian)
    ? readdirSync(debian).map((version) => join(debian, version, "bin"))
    : [];
  return [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin", ...servers];
}

/**
 * @param {string} name
 * @param {string} [module] of Python, which it must be able to import
 * @returns {string | undefined} where the executable is
 */
function find(name, module) {
  return folders()
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
      } catch {
        return false; // not there, or not for us: keep looking
      }
      return module === undefined || spawnSync(path, ["-c", `import ${module}`]).status === 0;
    });
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {boolean} asRoot
 */
function run(program, args, asRoot) {
  const words = asRoot && process.getuid?.() !== 0 ? ["sudo", "-n", program, ...args] : [program, ...args];
  console.log(`> ${words.join(" ")}`);
  const [first = "", ...rest] = words;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(first, rest, { stdio: ["ignore", "inherit", "inherit"], env }).status === 0;
}

/**
 * @param {string} program
 * @returns {string | undefined} what went wrong
 */
function provide(program) {
  const wanted = Object.entries(programs).find(([name]) => name === program)?.[1];
  if (!wanted) return `unknown program; known are ${Object.keys(programs).join(", ")}`;
  const look = () => wanted.names.map((name) => find(name, wanted.module)).find((path) => path !== undefined);
  const present = look();
  if (present) {
    console.log(`${program}: found ${present}`);
    return undefined;
  }
  const manager = managers.find(({ name }) => find(name));
  if (!manager)
    return `not on PATH, and none of ${managers.map(({ name }) => name).join(", ")} is here; install it by hand`;
  const name = wanted.packages[manager.name];
  if (name === undefined) return `${manager.name} has no package of it; install it by hand`;
  console.log(`${program}: not found, installing the package ${name} with ${manager.name}`);
  // A stale index may still hold the package, so a failed refresh alone is no reason to give up.
  run(manager.name, manager.refresh, manager.root);
  if (!run(manager.name, [...manager.install, name], manager.root))
    return `${manager.name} could not install ${name}`;
  const installed = look();
  if (!installed)
    return `${manager.name} installed ${name}, but none of ${wanted.names.join(", ")} is to be found`;
  console.log(`${program}: installed ${installed}`);
  return undefined;
}

const asked = process.argv.slice(2);
if (asked.length === 0) {
  console.error(`usage: node scripts/provide.js ${Object.keys(programs).join(" | ")}`);
  process.exitCode = 2;
}
for (const program of asked) {
  const problem = provide(program);
  if (problem) {
    console.error(`${program}: ${problem}`);
    process.exitCode = 1;
  }
}
