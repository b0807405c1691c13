/** A line for the user of the command, on stderr. */
export function note(text: string): void {
  process.stderr.write(`lintel: ${text}\n`);
}
