import { styleText } from "node:util";
import type { WriteStream } from "node:tty";

type Format = Parameters<typeof styleText>[0];
type Stream = { readonly isTTY?: boolean } & Partial<Pick<WriteStream, "hasColors">>;

/** Colors text for a terminal that takes colors; plain in pipes, files, and where NO_COLOR is set. */
export function paint(stream: Stream, format: Format, text: string): string {
  const { NO_COLOR = "" } = process.env;
  if (stream.isTTY !== true || NO_COLOR !== "" || stream.hasColors?.() === false) return text;
  return styleText(format, text, { validateStream: false });
}

// oxlint-disable-next-line no-control-regex -- control characters are what it must find
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** Text from elsewhere, made safe for a terminal: control characters are shown as `\xNN`. */
export function printable(text: string): string {
  return text.replace(CONTROL, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
