/** The matrix of gateways as people read it: a table for each relation. */
import { cellText, legendOf, reasonsOf, type Legend } from "../report.ts";
import type { Ability, GatewayDriver } from "./driver.ts";
import { RELATIONS, type Relation } from "./gateway-case.ts";
import { SAMPLE_NAMES } from "./payload.ts";
import type { GatewayCellResult } from "./run.ts";

export interface RelationTable {
  readonly relation: Relation;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface GatewayTables {
  readonly tables: readonly RelationTable[];
  /** What the letters in the cells stand for. */
  readonly reasons: Legend;
}

export function gatewayTablesOf(results: readonly GatewayCellResult[]): GatewayTables {
  const names = [...new Set(results.map(({ cell }) => cell.from.name))];
  const reasons = reasonsOf(results);
  const textOf = (relation: Relation, from: string, to: string): string => {
    const found = results.find(
      ({ cell }) => cell.relation === relation && cell.from.name === from && cell.to.name === to,
    );
    return found === undefined ? "not run" : cellText(found, reasons);
  };
  const relations = Object.keys(RELATIONS) as Relation[];
  return {
    tables: relations.map((relation) => ({
      relation,
      header: [`${RELATIONS[relation].from} \\ ${RELATIONS[relation].to}`, ...names],
      rows: names.map((from) => [from, ...names.map((to) => textOf(relation, from, to))]),
    })),
    reasons: legendOf(reasons),
  };
}

/** What becomes of each sample on its way to a worker or subscriber, and on its way back to a caller. */
export function arrivalsOf(drivers: readonly GatewayDriver[]): string[][] {
  return drivers.flatMap(({ name, supports }) => {
    const ways = [
      ...(supports.serve === true ? [["a worker", supports.receives] as const] : []),
      ...(supports.serve !== true && supports.subscribe === true
        ? [["a subscriber", supports.receives] as const]
        : []),
      ...(supports.request === true ? [["a caller", supports.isAnswered] as const] : []),
    ];
    return ways.map(([who, arrivals]) => [
      `${who} of ${name}`,
      ...SAMPLE_NAMES.map((sample) => {
        const arrival = arrivals[sample];
        if (arrival === true) return "the same";
        if (typeof arrival === "string") return "not sent";
        return "refused" in arrival ? `refused with \`${arrival.refused}\`` : arrival.as;
      }),
    ]);
  });
}

/** What a failure and a deadline are at each gateway: as its workers say them, and as its callers are told. */
export const ENDING_HEADER = [
  "gateway",
  "a worker that fails says",
  "a caller is told",
  "a caller limits the time",
  "a worker sees the time",
  "a caller takes a request back",
  "a worker is told of the end",
] as const;

export function endingsOf(drivers: readonly GatewayDriver[]): string[][] {
  return drivers.map(({ name, supports }) => {
    const { serve, request } = supports;
    const of = (role: Ability, ability: Ability): string =>
      role === true ? (ability === true ? "yes" : "no") : "";
    return [
      name,
      serve === true ? supports.fails.join(", ") : "",
      request === true ? supports.isTold.join(", ") : "",
      of(request, supports.limitsTime),
      of(serve, supports.seesTime),
      of(request, supports.withdraws),
      of(serve, supports.seesEnd),
    ];
  });
}

/** What went wrong, and where. */
export function gatewayFailuresOf(results: readonly GatewayCellResult[]): string[] {
  return results.flatMap(({ cell, results: ofCell }) =>
    ofCell.flatMap(({ case: name, outcome }) =>
      outcome.status === "failed"
        ? [
            `${name}, from ${cell.from.name} to ${cell.to.name}\n    ${outcome.why.replaceAll("\n", "\n    ")}`,
          ]
        : [],
    ),
  );
}
