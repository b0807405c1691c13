/** What marks a document as a value written by Lintel. */
export const VALUE_NAMESPACE = "urn:lintel:value";

// oxlint-disable-next-line no-control-regex -- control characters are what it must find
const NO_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** True when XML 1.0 has all characters of a well-formed text. */
export function isXmlText(text: string): boolean {
  return !NO_XML.test(text);
}
