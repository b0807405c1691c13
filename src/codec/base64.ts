/** RFC 4648 base64, with padding. */

/** Characters per call into the platform: more arguments than this could be too many. */
const CHUNK = 8_192;

export function base64Of(bytes: Uint8Array): string {
  if (typeof Buffer === "function")
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(binary);
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The bytes, or undefined when the text is no base64. White space is passed over. */
export function bytesOfBase64(text: string): Uint8Array | undefined {
  const compact = text.replaceAll(/[ \t\r\n]+/g, "");
  if (compact.length % 4 !== 0 || !BASE64.test(compact)) return undefined;
  if (typeof Buffer === "function") return new Uint8Array(Buffer.from(compact, "base64"));
  return Uint8Array.from(atob(compact), (character) => character.charCodeAt(0));
}
