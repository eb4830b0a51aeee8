/** A pattern is a name, or a beginning and `*`; no channel name has a `*`. */
export function matchesPattern(pattern: string, channel: string): boolean {
  return pattern.endsWith('*') ? channel.startsWith(pattern.slice(0, -1)) : channel === pattern;
}
