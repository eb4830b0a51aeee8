export interface SignedRequest {
  /** `hookSecret` of the node, or the secret of a webhook; several while one takes the place of another. */
  readonly secret: string | readonly string[];
  /** The header `Tutti-Signature`. */
  readonly header: string | null | undefined;
  /** As it came: a body that was parsed and written again has another signature. */
  readonly body: string | Uint8Array;
  /** How old a request may be, or how far its clock ahead. Default 300,000 (five minutes). */
  readonly toleranceMs?: number;
  /** Milliseconds since 1970; default: now. */
  readonly nowMs?: number;
}

const toleranceMsDefault = 300_000;
/** More than any sender gives: each costs an HMAC. */
const signaturesMax = 8;

/**
 * True: a node that knows the secret made this request, for HTTP hooks and webhooks alike, and a short while
 * ago. False for anything else, also for a header that is none. Compares in constant time.
 *
 * The header is `t=<unix seconds>,v1=<hex>`, where hex is the HMAC-SHA256 of `<t>.<body>`.
 */
export async function verifySignature(request: SignedRequest): Promise<boolean> {
  const { secret, header, body, toleranceMs = toleranceMsDefault, nowMs = Date.now() } = request;
  const parts = (header ?? '').split(',', signaturesMax + 1).map((part) => part.trim());
  const time = parts.find((part) => /^t=\d{1,12}$/.test(part))?.slice(2);
  if (time === undefined || Math.abs(nowMs - Number(time) * 1_000) > toleranceMs) return false;
  const signatures = parts.filter((part) => /^v1=[0-9a-f]{64}$/.test(part)).map((part) => bytesOf(part.slice(3)));
  const encoder = new TextEncoder();
  const content = typeof body === 'string' ? encoder.encode(body) : body;
  const signed = new Uint8Array([...encoder.encode(`${time}.`), ...content]);
  for (const each of typeof secret === 'string' ? [secret] : secret) {
    // Nobody knows an empty secret better than everybody.
    if (each === '') continue;
    const algorithm = { name: 'HMAC', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('raw', encoder.encode(each), algorithm, false, ['verify']);
    for (const signature of signatures) if (await crypto.subtle.verify('HMAC', key, signature, signed)) return true;
  }
  return false;
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
