import { createHmac } from 'node:crypto';

/** Header of a signed request, on webhooks and HTTP hooks alike. */
export const signatureHeader = 'Tutti-Signature';

/**
 * What proves to the receiver of a request that this node made it, and when:
 * `t=<unix seconds>,v1=<hex>`, where hex is the HMAC-SHA256, by the secret, of `<t>.<body>`.
 *
 * Several secrets give one `v1` each, so that a secret can be changed without a moment at which the
 * receiver knows the wrong one: any that matches is enough. The receiver refuses a `t` that is more than
 * five minutes away, else whoever recorded a request could send it again.
 *
 * Example: secret `s3cret`, at 1700000000, body `{}` → `t=1700000000,v1=<HMAC of "1700000000.{}">`.
 */
export function signRequest(body: Uint8Array | string, secrets: readonly string[], unixSeconds: number): string {
  const t = String(Math.floor(unixSeconds));
  const signatures = secrets.map(
    (secret) => `v1=${createHmac('sha256', secret).update(`${t}.`).update(body).digest('hex')}`,
  );
  return [`t=${t}`, ...signatures].join(',');
}
