export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const colors: Readonly<Record<LogLevel, string>> = { debug: '90', info: '36', warn: '33', error: '31' };

/** One line for a person: time, level, message, fields. Whatever is in them, it stays one line. */
export function prettyLine(
  wallMs: number,
  level: LogLevel,
  fields: Record<string, unknown>,
  message: string,
  inColor: boolean,
): string {
  const paint = (color: string, text: string): string => (inColor ? `\u001b[${color}m${text}\u001b[0m` : text);
  const time = new Date(wallMs).toISOString().slice(11, 23);
  const shown = Object.entries(fields).map(([name, value]) => ` ${paint('90', `${plain(name)}=`)}${shownValue(value)}`);
  return `${paint('90', time)} ${paint(colors[level], level.toUpperCase().padEnd(5))} ${plain(message)}${shown.join('')}\n`;
}

function shownValue(value: unknown): string {
  if (typeof value === 'string') return /^[\w@%+=:,./-]+$/.test(value) ? value : plain(JSON.stringify(value));
  const reason = faultReason(value);
  if (reason !== undefined) return plain(JSON.stringify(reason));
  return plain(JSON.stringify(value) ?? 'undefined');
}

/**
 * What a fault and its causes say. A fault is something outside that failed, so where in the code it was met tells
 * its reader nothing; JSON lines have that, and other errors keep it here.
 */
function faultReason(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('seam' in value)) return undefined;
  const reasons: string[] = [];
  for (let error: unknown = value; typeof error === 'object' && error !== null && 'message' in error;) {
    const message = String(error.message);
    if (!reasons.some((reason) => reason.includes(message))) reasons.push(message);
    error = 'cause' in error ? error.cause : undefined;
  }
  return reasons.length === 0 ? undefined : reasons.join(': ');
}

/** Control characters would let a hostile name forge a line or steer the terminal. */
function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
