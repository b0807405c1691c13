/**
 * Writes the code that knows the messages of spec/lintel/v1/worker.proto, after a change of that file:
 *
 *   npm run generate:grpc
 *
 * It takes protoc, and protoc-gen-es from the npm registry. A test holds the code to the file without either.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const plugin = "@bufbuild/protoc-gen-es@2.13.0"; // the last one for Node 20
const protoc = [
  ...["protoc", "-I", "spec", "--es_out=src/gateway/grpc/generated"],
  ...["--es_opt=target=ts,import_extension=ts", "lintel/v1/worker.proto"],
];
const { status } = spawnSync("npm", ["exec", "--yes", `--package=${plugin}`, "--", ...protoc], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
