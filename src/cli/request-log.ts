/** One line for each HTTP request of a hub. */
import type { RequestRecord } from "../observe/observer.ts";
import { paint, printable } from "./paint.ts";

export type LogFormat = "text" | "json" | "off";

/** Takes finished requests; undefined when nothing is to be logged. */
export function requestLog(
  format: LogFormat,
  write: (line: string) => void,
): ((record: RequestRecord) => void) | undefined {
  if (format === "off") return undefined;
  const line = format === "json" ? jsonLine : textLine;
  return (record) => write(line(record, new Date()));
}

/** `12:03:04.005 POST /greet 200 1.2 ms greet`, and the reason of a failure at the end. */
export function textLine({ method, path, subject, status, reason, ms }: RequestRecord, at: Date): string {
  const time = paint(process.stdout, "dim", at.toISOString().slice(11, 23));
  const color = status < 400 ? "green" : status < 500 ? "yellow" : "red";
  const parts = [
    time,
    method || "?",
    printable(path),
    paint(process.stdout, color, String(status)),
    `${ms.toFixed(1)} ms`,
  ];
  if (subject !== undefined) parts.push(subject);
  if (reason !== undefined) parts.push(reason);
  return `${parts.join(" ")}\n`;
}

/** Printed where lines are missing because they were not read. */
export function droppedLine(format: LogFormat, lines: number, at: Date): string {
  if (format === "json") return `${JSON.stringify({ time: at.toISOString(), event: "dropped", lines })}\n`;
  return `${at.toISOString().slice(11, 23)} ${lines} lines were dropped here: nobody read them\n`;
}

/** The record as JSON with the time in front; `subject` and `reason` are left out where there is none. */
export function jsonLine(record: RequestRecord, at: Date): string {
  const { method, path, subject, status, reason } = record;
  const ms = Math.round(record.ms * 1_000) / 1_000;
  return `${JSON.stringify({ time: at.toISOString(), event: "request", method, path, subject, status, reason, ms })}\n`;
}
