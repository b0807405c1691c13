/**
 * Whether a request may come from where it says. Browsers name the origin of the page that asks; without that it is no
 * browser. A page of the host that is asked is welcome, any other only when it is on the list.
 */
export function originIsAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[] = [],
): boolean {
  if (origin === undefined || allowed.includes(origin)) return true;
  if (!URL.canParse(origin)) return false; // "null" among others
  const { host: from, protocol } = new URL(origin);
  return (protocol === "http:" || protocol === "https:") && from !== "" && from === host?.toLowerCase();
}
