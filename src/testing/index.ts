export { codecSuite, type CodecSuiteOptions, type CodecVectors } from "./codec-suite.ts";
export { FakeClock } from "./fake-clock.ts";
export { transportSuite, type TransportSuiteOptions } from "./transport-suite.ts";
