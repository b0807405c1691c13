import type { GatewaySupports, MatrixHub, Program } from "./driver.ts";

/** Who does what in a table of the matrix: one program at the first gateway, one at the second. */
export const RELATIONS = {
  request: { from: "caller", to: "worker" },
  publish: { from: "publisher", to: "subscriber" },
  enable: { from: "service that enables", to: "client" },
} as const;
export type Relation = keyof typeof RELATIONS;

/** What a case acts on. */
export interface Bench {
  readonly hub: MatrixHub;
  readonly from: Program;
  readonly to: Program;
  /** That no other case uses. */
  readonly subject: string;
  /** Another program of the kind. It is gone when the case is over. */
  readonly another: (side: "from" | "to") => Promise<Program>;
}

export interface GatewayCase {
  readonly relation: Relation;
  readonly name: string;
  /** Why it cannot be, of two gateways whose programs can do their part of the relation. */
  readonly lack: (from: GatewaySupports, to: GatewaySupports) => string | undefined;
  readonly run: (bench: Bench, from: GatewaySupports, to: GatewaySupports) => Promise<void>;
}

/** The first reason there is. */
export function lackOf(...abilities: readonly unknown[]): string | undefined {
  return abilities.find((ability): ability is string => typeof ability === "string");
}

/** Why the programs of two gateways cannot do their part at all. */
export function lackOfRelation(
  relation: Relation,
  from: GatewaySupports,
  to: GatewaySupports,
): string | undefined {
  switch (relation) {
    case "request":
      return lackOf(from.request, to.serve);
    case "publish":
      return lackOf(from.publish, to.subscribe);
    case "enable": {
      const { request, publish, subscribe } = from.enable;
      const canEnable = [request, publish, subscribe].includes(true);
      const canUse = [to.use.request, to.use.publish, to.use.subscribe].includes(true);
      return lackOf(canEnable || request, canUse || to.use.request);
    }
  }
}
