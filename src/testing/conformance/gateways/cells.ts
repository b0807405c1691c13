/** The matrix: for each relation, programs of each gateway with programs of each. */
import type { GatewayDriver } from "./driver.ts";
import { ENABLEMENTS } from "./cases/enablements.ts";
import { PUBLICATIONS } from "./cases/publications.ts";
import { REQUESTS } from "./cases/requests.ts";
import { RELATIONS, lackOfRelation, type GatewayCase, type Relation } from "./gateway-case.ts";

/** Everything that must be the same between any two gateways. */
export const GATEWAY_CASES: readonly GatewayCase[] = [...REQUESTS, ...PUBLICATIONS, ...ENABLEMENTS];

export interface GatewayCell {
  readonly relation: Relation;
  readonly from: GatewayDriver;
  readonly to: GatewayDriver;
  /** Why there is nothing to try here; undefined when there is. */
  readonly lack: string | undefined;
  /** In order, each with the reason why it cannot be. */
  readonly cases: readonly { readonly one: GatewayCase; readonly lack: string | undefined }[];
}

export function gatewayCellsOf(drivers: readonly GatewayDriver[]): GatewayCell[] {
  const relations = Object.keys(RELATIONS) as Relation[];
  return relations.flatMap((relation) =>
    drivers.flatMap((from) => drivers.map((to) => cellOf(relation, from, to))),
  );
}

function cellOf(relation: Relation, from: GatewayDriver, to: GatewayDriver): GatewayCell {
  const lack = lackOfRelation(relation, from.supports, to.supports);
  const cases = GATEWAY_CASES.filter((one) => one.relation === relation).map((one) => ({
    one,
    lack: lack ?? one.lack(from.supports, to.supports),
  }));
  return { relation, from, to, lack, cases };
}

export function nameOfCell({ relation, from, to }: GatewayCell): string {
  const { from: whose, to: whom } = RELATIONS[relation];
  return `${relation}, ${whose} ${from.name}, ${whom} ${to.name}`;
}
