const marker = Buffer.from('{"t":"');
const timeDigits = 16;
const numberDigits = 8;
const between = '","n":"';
const numberAt = marker.length + timeDigits + between.length;
const fixedBytes = numberAt + numberDigits + '","p":""}'.length;

/** A payload shorter than this cannot carry its time. */
export const timedPayloadBytesMin = fixedBytes;

/** Microseconds of the machine's monotonic clock, which all its processes share. */
export function nowMicroseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1e3);
}

/** JSON of exactly `bytes` that says when it was sent and its number. */
export function timedPayload(number: number, sentAt: number, bytes: number): string {
  const time = String(sentAt).padStart(timeDigits, '0');
  const padding = 'x'.repeat(Math.max(0, bytes - fixedBytes));
  return `{"t":"${time}${between}${String(number).padStart(numberDigits, '0')}","p":"${padding}"}`;
}

/** Calls `found` for every timed payload in a frame, which may hold several; returns how many. */
export function readTimedPayloads(frame: Buffer, found: (number: number, sentAt: number) => void): number {
  let count = 0;
  for (let at = frame.indexOf(marker); at !== -1; at = frame.indexOf(marker, at + fixedBytes)) {
    found(digits(frame, at + numberAt, numberDigits), digits(frame, at + marker.length, timeDigits));
    count += 1;
  }
  return count;
}

function digits(frame: Buffer, start: number, length: number): number {
  let value = 0;
  for (let at = start; at < start + length; at += 1) value = value * 10 + (frame[at] ?? 48) - 48;
  return value;
}
