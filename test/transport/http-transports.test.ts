import { transportSuite } from "../../src/testing/transport-suite.ts";
import { http1, http1s } from "../../src/transport/http1/transport.ts";
import { h2, h2c } from "../../src/transport/http2/transport.ts";
import { withCertificates } from "./certificates.ts";

for (const transport of [h2c, h2, http1, http1s]) {
  const { scheme } = transport;
  transportSuite(scheme, {
    transport: withCertificates(transport),
    freshUrl: () => `${scheme}://127.0.0.1:0/lintel`,
  });
}
