/** The kit finds what is wrong: cells with a part that is broken on purpose. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { json } from "../../src/codec/json.ts";
import {
  CASES,
  IN_PROCESS,
  JSON_ENTRY,
  TOPOLOGIES,
  failuresOf,
  isWrong,
  runCell,
  tableOf,
  type Cell,
  type CellResult,
  type CodecEntry,
} from "../../src/testing/index.ts";
import { createMemoryTransport } from "../../src/transport/memory.ts";
import { chooseCells, sliceCells, topologyCells } from "./cells.ts";
import { readFlags } from "./flags.ts";

const [topology] = TOPOLOGIES;
let count = 0;

function cellWith(codec: CodecEntry): Cell {
  const transport = {
    name: "memory",
    transport: createMemoryTransport(),
    freshUrl: () => `memory:${++count}`,
  };
  return { transport, topology: topology!, codec };
}

/** JSON that forgets every null. */
const forgetful: CodecEntry = {
  ...JSON_ENTRY,
  name: "forgetful",
  codec: {
    ...json,
    contentType: "application/x-forgetful",
    decode: (bytes, start, end) => json.decode(bytes, start, end) ?? 0,
  },
};

const failed = ({ results }: CellResult): string[] => results.filter(isWrong).map((result) => result.case);

test("a codec that does not keep its promise fails the case that asks for it, and no other", async () => {
  const result = await runCell(cellWith(forgetful));
  assert.deepEqual(failed(result), ["carries every null both ways"]);
  assert.match(
    failuresOf([result]).join(),
    /^carries every null both ways\n[^]* in memory, peer to peer, forgetful$/,
  );
  assert.match(tableOf([result]).rows[0]![2]!, /^FAILED 1 of \d+ \[/);
});

test("a failure that is known is not wrong; one that is known and passes is", async () => {
  const known = [
    { case: "carries every null both ways", why: "it forgets" },
    { case: "carries every boolean both ways", codec: "forgetful", why: "it does not" },
    { case: "carries every number both ways", codec: "another", why: "not for this one" },
  ];
  const result = await runCell(cellWith(forgetful), known);
  assert.deepEqual(failed(result), ["carries every boolean both ways"]);
  assert.match(failuresOf([result]).join(), /it passes now/);
});

test("a transport on which nobody can connect fails every case, and says why", async () => {
  const cell = cellWith(JSON_ENTRY);
  const transport = {
    ...cell.transport,
    freshUrl: () => Promise.reject(new Error("there is no room in the house")),
  };
  const { results } = await runCell({ ...cell, transport });
  for (const { outcome } of results) {
    if (outcome.status === "unsupported") assert.notEqual(outcome.reason, "");
    else assert.match(outcome.status === "failed" ? outcome.why : "passed", /no room in the house/);
  }
});

test("the cases have names of their own", () => {
  assert.equal(new Set(CASES.map(({ name }) => name)).size, CASES.length);
});

test("cells are chosen by the names of transports and codecs", () => {
  const cells = chooseCells(["tcp", "json", "text"], "through a hub");
  assert.deepEqual(
    cells.map(({ transport, codec }) => [transport.name, codec.name]),
    [
      ["tcp", "json"],
      ["tcp", "text"],
    ],
  );
  assert.throws(() => chooseCells(["gopher"], ""), /--only takes none, memory, .*, not "gopher"/);
  assert.ok(topologyCells().some((cell) => cell.topology === IN_PROCESS));
  const names = [...topologyCells(), ...sliceCells()].map(({ transport, topology: { name }, codec }) =>
    [transport.name, name, codec.name].join(),
  );
  assert.equal(new Set(names).size, names.length, "no cell is tested twice");
});

test("flags are read, and what is none is refused", () => {
  assert.deepEqual(readFlags(["--only", "tcp, json"]).only, ["tcp", "json"]);
  assert.throws(() => readFlags(["--processes", "0"]), /--processes takes 1 to 64/);
  assert.throws(() => readFlags(["--write", "--only", "tcp"]), /--write takes the whole matrix/);
  assert.throws(() => readFlags(["--fast"]), /--fast/);
});
