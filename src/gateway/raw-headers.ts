/** The first value of a header among names and values in turn. `name` must be lower case. */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const spelled = rawHeaders[index]!;
    if (spelled.length === name.length && spelled.toLowerCase() === name) return rawHeaders[index + 1];
  }
  return undefined;
}
