/** How requests ask for channels: as those of `open` do (PROTOCOL.md, chapter 15), and as messages of beam do. */
import { findHeader, headerLine } from "../../message/headers.ts";
import type { Message } from "../../message/message.ts";

const OPEN = ":open";
/** An answer without a channel is equally welcome, because the requester does not know which of the two it will get. */
const OFFER = ":offer";

/** Of a request that offers its first stream as a channel. */
export const OFFER_LINES: string = headerLine(OPEN, "channel") + headerLine(OFFER, "channel");
/** Of an answer that accepts the channel. */
export const ACCEPTED_LINE: string = headerLine(OPEN, "accepted");

/** True for a request whose first stream is a channel that is to be opened. */
export function opensChannel(request: Message): boolean {
  return findHeader(request.headText(), OPEN) === "channel";
}

/** True when an answer without the channel will do. */
export function isOffer(request: Message): boolean {
  return findHeader(request.headText(), OFFER) === "channel";
}

/** True for an answer that accepts the channel. */
export function isAccepted(answer: Message): boolean {
  return findHeader(answer.headText(), OPEN) === "accepted";
}
