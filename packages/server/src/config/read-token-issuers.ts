import { unknownName } from './problem.ts';
import { isRecord, type Report } from './read-namespaces.ts';
import { isTenantName } from './tenant.ts';
import { jwksUrlProblem, tokenIssuersMax, type TokenIssuer } from './token-issuer.ts';

const members = ['issuer', 'jwksUrl', 'audience', 'tenant'];

/** A list of issuers, as written. Unsound ones are left out, and reported. */
export function readTokenIssuers(written: unknown, report: Report): TokenIssuer[] {
  if (!Array.isArray(written)) {
    report('', 'must be a list: [{"issuer": "https://login.example.com", "jwksUrl": "https://…"}]');
    return [];
  }
  if (written.length > tokenIssuersMax) report('', `has more than ${tokenIssuersMax} issuers`);
  const read: TokenIssuer[] = [];
  for (const [index, item] of written.slice(0, tokenIssuersMax).entries()) {
    const one = readTokenIssuer(item, (path, message) => report(`[${index}]${path}`, message));
    if (one === undefined) continue;
    // A token names its issuer and nothing else: two sets of keys would be one larger set.
    if (read.some(({ issuer }) => issuer === one.issuer)) report(`[${index}].issuer`, 'is that of an earlier one');
    read.push(one);
  }
  return read;
}

function readTokenIssuer(written: unknown, report: Report): TokenIssuer | undefined {
  if (!isRecord(written)) {
    report('', 'must be {issuer, jwksUrl, audience?, tenant?}');
    return undefined;
  }
  for (const name of Object.keys(written)) {
    if (!members.includes(name)) report(`.${name}`, unknownName(name, members, 'a member of an issuer'));
  }
  const { issuer, jwksUrl, audience = [], tenant } = written;
  const audiences: unknown = typeof audience === 'string' ? [audience] : audience;
  if (typeof issuer !== 'string' || issuer === '' || typeof jwksUrl !== 'string') {
    report('', 'needs issuer (as in the claim iss) and jwksUrl');
    return undefined;
  }
  const problem = jwksUrlProblem(jwksUrl);
  if (problem !== undefined) report('.jwksUrl', problem);
  const isSound = Array.isArray(audiences) && audiences.every((each) => typeof each === 'string' && each !== '');
  if (!isSound) report('.audience', 'must be text, or a list of texts');
  const isTenant = tenant === undefined || (typeof tenant === 'string' && isTenantName(tenant));
  if (!isTenant) report('.tenant', 'must be 1 to 64 of the characters A-Z a-z 0-9 _ . -');
  if (problem !== undefined || !isSound || !isTenant) return undefined;
  return { issuer, jwksUrl, audience: audiences as string[], ...(tenant === undefined ? {} : { tenant }) };
}
