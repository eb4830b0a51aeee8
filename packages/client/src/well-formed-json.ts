/**
 * As `JSON.stringify`, but half a character (a lone surrogate, as left by `text.slice` in the middle of
 * an emoji) becomes U+FFFD, as it does in `TextEncoder`: no peer could read it, and servers refuse it.
 */
export function wellFormedJson(value: unknown): string {
  const json = JSON.stringify(value);
  // A lone surrogate is the only character from U+D800 up that is written as an escape.
  if (!json?.includes('\\ud')) return json;
  return json.replace(/\\(?:ud[89a-f]..|.)/g, (escape) => (escape.length > 2 ? '\ufffd' : escape));
}
