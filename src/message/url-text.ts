/**
 * A URL as errors and logs may show it. A password has no place in one, and neither has a key in its query; where somebody has
 * put one there all the same, it is not passed on.
 */
export function urlText(url: string): string {
  return url.replace(/^([A-Za-z][A-Za-z0-9+.-]*:(?:\/\/)?)[^/?#]*@/, "$1***@").replace(/([?#]).*$/s, "$1***");
}
