import { throwRefusal, type AnswerFields } from '../grants.ts';
import { HookFailure } from '../hook-failure.ts';

const fail = (problem: string): HookFailure => new HookFailure(`the answer of the hook: ${problem}`);

/** Members that other servers of this protocol know. To ignore them would grant another thing than was meant. */
const notSupported = ['subs', 'override', 'skip_history', 'allow', 'subscription'];

/** What a backend answered. Throws what it refuses with, or `HookFailure` for what is no answer. */
export function answerFields(body: Buffer): AnswerFields {
  const answer = parsed(body);
  throwRefusal(answer);
  const { result } = answer;
  if (!isRecord(result)) throw fail('it has neither result nor error nor disconnect');
  for (const name of notSupported) {
    const value = result[name];
    if (value !== undefined && value !== null && value !== false) throw fail(`result.${name} is not supported`);
  }
  const { user, tenant, expire_at: expireAt, expired, meta, channels, caps } = result;
  return {
    user: known(user),
    tenant: known(tenant),
    // Seconds; zero is how some languages write that there is none.
    expiresAtMs: typeof expireAt === 'number' ? (expireAt === 0 ? undefined : expireAt * 1_000) : known(expireAt),
    expired: known(expired),
    meta: known(meta),
    channels: known(channels),
    capabilities: known(caps),
    info: payload(result, 'info', 'b64info'),
    data: payload(result, 'data', 'b64data'),
  };
}

function parsed(body: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString()) as unknown;
  } catch {
    // The parser's message quotes the text, which may be anything.
    throw fail('it is not JSON');
  }
  if (!isRecord(value)) throw fail('it is no JSON object');
  return value;
}

function payload(result: Readonly<Record<string, unknown>>, name: string, base64Name: string): unknown {
  const text = result[base64Name];
  if (text === undefined || text === null || text === '') return known(result[name]);
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw fail(`${base64Name} must be base64`);
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** Languages without absent members write null. */
function known(value: unknown): unknown {
  return value === null ? undefined : value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
