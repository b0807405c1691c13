export { FakeClock } from "./fake-clock.ts";
export { transportSuite, type TransportSuiteOptions } from "./transport-suite.ts";
