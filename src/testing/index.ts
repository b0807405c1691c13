export { codecSuite, type CodecSuiteOptions, type CodecVectors } from "./codec-suite.ts";
export type { Case, Cell, Need, Harness } from "./conformance/case.ts";
export { CASES } from "./conformance/cases.ts";
export type { Outcome } from "./conformance/cell-run.ts";
export { BYTES_ENTRY, JSON_ENTRY, TEXT_ENTRY } from "./conformance/codecs.ts";
export type { CodecEntry, Note, TransportEntry } from "./conformance/entries.ts";
export type { CuttableTransport } from "./conformance/cuttable-transport.ts";
export {
  cellsOf,
  inProcessCells,
  isWrong,
  runCell,
  type CaseResult,
  type CellResult,
  type KnownFailure,
  type MatrixOptions,
} from "./conformance/matrix.ts";
export { failuresOf, tableOf, type MatrixTable } from "./conformance/report.ts";
export type { Parties, Fixture } from "./conformance/fixture.ts";
export { conformanceSuite, declareCells } from "./conformance/suite.ts";
export { IN_PROCESS, TOPOLOGIES } from "./conformance/topologies.ts";
export type { Topology, TopologySupports } from "./conformance/topology.ts";
export { TestAccess, type TestAccessOptions } from "./test-access.ts";
export type { EnginePair, EngineSuiteOptions } from "./engine/scene.ts";
export { engineSuite } from "./engine/suite.ts";
export { gatewaySuite } from "./gateway/suite.ts";
export type {
  ForeignJob,
  ForeignRequest,
  ForeignWorker,
  GatewaySuiteOptions,
  TextHandler,
} from "./gateway/scene.ts";
export { FakeClock } from "./fake-clock.ts";
export type { TransportSuiteOptions } from "./transport-pair.ts";
export { transportSuite } from "./transport-suite.ts";
export { GATEWAY_CASES, gatewayCellsOf, nameOfCell, type GatewayCell } from "./conformance/gateways/cells.ts";
export {
  EVERY_SAMPLE,
  FAILURE_MEMBERS,
  noVerb,
  type Ability,
  type Arrival,
  type Asked,
  type Converted,
  type Counted,
  type FailureMember,
  type FailureSeen,
  type GatewayDriver,
  type GatewayRole,
  type GatewaySupports,
  type Headers,
  type Job,
  type Listening,
  type MatrixHub,
  type Outcome as GatewayOutcome,
  type Program,
  type Purpose,
  type Received,
  type Refused,
  type Sent,
  type WorkerService,
} from "./conformance/gateways/driver.ts";
export {
  RELATIONS,
  type Bench,
  type GatewayCase,
  type Relation,
} from "./conformance/gateways/gateway-case.ts";
export { Mailbox } from "./conformance/gateways/mailbox.ts";
export {
  NOTHING,
  SAMPLES,
  SAMPLE_NAMES,
  bytesOf,
  fromTyped,
  jsonOf,
  textOf,
  toTyped,
  type Payload,
  type SampleName,
} from "./conformance/gateways/payload.ts";
export {
  ENDING_HEADER,
  arrivalsOf,
  endingsOf,
  gatewayFailuresOf,
  gatewayTablesOf,
  type GatewayTables,
} from "./conformance/gateways/report.ts";
export { GatewayRun, type GatewayCellResult, type MatrixHubs } from "./conformance/gateways/run.ts";
export { declareGatewayCells } from "./conformance/gateways/suite.ts";
