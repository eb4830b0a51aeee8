import { createHmac } from 'node:crypto';

const header = encode({ alg: 'HS256', typ: 'JWT' });
const lifetimeSeconds = 86_400;

/** A connection token as a backend would make it: HS256, with an expiry. */
export function connectionToken(user: string, secret: string): string {
  const claims = encode({ sub: user, exp: Math.floor(Date.now() / 1000) + lifetimeSeconds });
  const signature = createHmac('sha256', secret).update(`${header}.${claims}`).digest('base64url');
  return `${header}.${claims}.${signature}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
