/**
 * A program that serves "upper", a little slowly, so that others get their share.
 *
 *   node pushed-process.js URL
 */
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "../../../src/index.ts";

const peer = await connect(process.argv[2]!);
await peer.serve(
  "upper",
  async (text) => {
    await delay(Math.random() * 10);
    return String(text).toUpperCase();
  },
  { concurrency: 16 },
);
