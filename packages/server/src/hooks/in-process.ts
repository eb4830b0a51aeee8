import { Disconnect, Rejection, rejections } from '@tutti/protocol';
import { validateJson } from '@tutti/protocol/json';
import type { HookContext, HookFunctions } from '../config/hook-functions.ts';
import {
  connectGrant,
  dataGrant,
  publishGrant,
  refreshGrant,
  subscribeGrant,
  throwRefusal,
  type AnswerFields,
} from './grants.ts';
import { HookFailure } from './hook-failure.ts';
import type { HookAsk, HookCalls, PublishAsk } from './hooks.ts';

const text = new TextDecoder();

/** Functions of the application in this process, as hooks. Payloads are values here, because functions take values. */
export function inProcessHooks(functions: HookFunctions, { hasTenants }: { readonly hasTenants: boolean }): HookCalls {
  const { connect, refresh, subscribe, subRefresh, publish, rpc } = functions;
  return {
    ...(connect && {
      connect: async (ask, signal) => {
        const { isVerified, name, version } = ask;
        const context = { ...contextOf(ask, signal), isVerified, name, version, data: valueOf(ask.data) };
        return connectGrant(await answerOf(connect(context)), ask, hasTenants);
      },
    }),
    ...(refresh && {
      refresh: async (ask, signal) => refreshGrant(await answerOf(refresh(contextOf(ask, signal)))),
    }),
    ...(subscribe && {
      subscribe: async (ask, signal) => {
        const { channel } = ask;
        return subscribeGrant(
          await answerOf(subscribe({ ...contextOf(ask, signal), channel, data: valueOf(ask.data) })),
          ask,
        );
      },
    }),
    ...(subRefresh && {
      subRefresh: async (ask, signal) =>
        refreshGrant(await answerOf(subRefresh({ ...contextOf(ask, signal), channel: ask.channel }))),
    }),
    ...(publish && {
      publish: async (ask, signal) => {
        const { channel, key, idempotencyKey } = ask;
        const context = { ...contextOf(ask, signal), channel, key, idempotencyKey, data: publishedValue(ask) };
        return publishGrant(await answerOf(publish(context)), ask);
      },
    }),
    ...(rpc && {
      rpc: async (ask, signal) => {
        const context = { ...contextOf(ask, signal), method: ask.method, data: valueOf(ask.data) };
        return dataGrant(await answerOf(rpc(context)), ask);
      },
    }),
  };
}

function contextOf(ask: HookAsk, signal: AbortSignal): HookContext {
  const { client, user, tenant, transport, codec, remoteAddress, headers, meta, lagBytes, lagMs } = ask;
  return {
    ...{ client, user, tenant, transport, codec, remoteAddress, headers, signal },
    meta: valueOf(meta),
    lag: { bytes: lagBytes, ms: lagMs },
  };
}

/** JSON as the value it says, other bytes as they are. */
function valueOf(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined || bytes.length === 0) return undefined;
  try {
    validateJson(bytes);
  } catch {
    return bytes;
  }
  return JSON.parse(text.decode(bytes)) as unknown;
}

function publishedValue({ data, payload }: PublishAsk): unknown {
  return payload === 'binary' ? data : valueOf(data);
}

/** What a function returned, once it has. Throws what it refuses with, `Rejection` for nothing at all, or `HookFailure`. */
async function answerOf(returned: unknown): Promise<AnswerFields> {
  let answer: unknown;
  try {
    answer = await returned;
  } catch (cause) {
    if (cause instanceof Rejection || cause instanceof Disconnect) throw cause;
    throw new HookFailure('the hook threw', { cause });
  }
  if (answer === undefined || answer === null) throw new Rejection(rejections.permissionDenied);
  if (typeof answer !== 'object' || Array.isArray(answer)) {
    throw new HookFailure(
      'the answer of the hook is no object: return {} to grant, { error } or { disconnect } to refuse',
    );
  }
  const { expiresAt, ...fields } = answer as AnswerFields & { readonly expiresAt?: unknown };
  throwRefusal(answer);
  return { ...fields, ...(expiresAt === undefined ? {} : { expiresAtMs: timeOf(expiresAt) }) };
}

function timeOf(moment: unknown): unknown {
  return moment instanceof Date ? moment.getTime() : moment;
}
