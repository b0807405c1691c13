/** The part of docs/CONFORMANCE.md about gateways, made of what a run has shown. */
import {
  ENDING_HEADER,
  GATEWAY_CASES,
  RELATIONS,
  SAMPLE_NAMES,
  arrivalsOf,
  endingsOf,
  type GatewayDriver,
  type GatewayTables,
  type Relation,
} from "../../../src/testing/index.ts";
import { table } from "../table.ts";

export const HEADING = "## Gateways\n";

const INTRODUCTION = `${HEADING}
Programs at every gateway with programs at every other: who calls or publishes or enables is at the gateway of the row, who
works or subscribes or is a client at that of the column. Each program speaks the protocol of its gateway as other people's
programs do: plain HTTP, gRPC frames, sockets that are passed to a Python process, and so on. All of them run at a time, at
one hub with keys, and programs of one gateway share a connection. \`DRS\` are clients of the gateway commands that announce nothing, over
TCP; \`commands\` are those that do, over WebSocket. A whole run repeats requests and publications with one of the two at a hub in front
of the other's, and prints only what holds there too. A cell has the number of cases that passed. A letter says
that cases cannot be, and [why](#why-not); \`unsupported\` is a cell without any case. \`npm run conformance -- --gateways\` runs
this part alone.
`;

const TITLES: Readonly<Record<Relation, string>> = {
  request: "Requests",
  publish: "Publications",
  enable: "Enablements",
};

export function writeGateways({ tables, reasons }: GatewayTables, drivers: readonly GatewayDriver[]): string {
  return [
    INTRODUCTION,
    ...tables.flatMap(({ relation, header, rows }) => [
      `### ${TITLES[relation]}\n`,
      table([header[0]!.replace("\\", "\\\\"), ...header.slice(1)], rows),
    ]),
    "### Why not\n",
    table(
      ["", "reason", "cases"],
      reasons.map(({ letter, reason, cases }) => [letter, reason, casesText(cases)]),
    ),
    "### What arrives\n",
    "Gateways do not tell the same kinds of payload apart. This is what becomes of each, however it was sent:\n",
    table(["for", ...SAMPLE_NAMES], arrivalsOf(drivers)),
    "### Failures, deadlines and ends\n",
    "As far as both ends can say them, they are compared:\n",
    table(ENDING_HEADER, endingsOf(drivers)),
    "### Cases between gateways\n",
    ...(Object.keys(RELATIONS) as Relation[]).map((relation) => {
      const names = GATEWAY_CASES.filter((one) => one.relation === relation).map(({ name }) => `- ${name}`);
      return `${TITLES[relation]}:\n\n${names.join("\n")}\n`;
    }),
  ].join("\n");
}

/** All cases of a relation are named by it. */
function casesText(cases: readonly string[]): string {
  const left = new Set(cases);
  const whole = (Object.keys(RELATIONS) as Relation[]).filter((relation) => {
    const names = GATEWAY_CASES.filter((one) => one.relation === relation).map(({ name }) => name);
    if (!names.every((name) => left.has(name))) return false;
    for (const name of names) left.delete(name);
    return true;
  });
  return [...whole.map((relation) => `all ${TITLES[relation].toLowerCase()}`), ...left].join("; ");
}
