import { ApiError, ApiUnavailable } from './errors.ts';
import type {
  BatchCommand,
  BatchReply,
  ChannelsResult,
  ClientInfo,
  ConnectionsResult,
  DisconnectOptions,
  ErrorMessage,
  ExpectedPosition,
  Heard,
  HistoryOptions,
  HistoryResult,
  NodesResult,
  PageOptions,
  PublishOptions,
  PublishResponse,
  PublishResult,
  RefreshOptions,
  Revoked,
  Seen,
  SubscribeOptions,
  Whose,
} from './messages.ts';

export interface TuttiApiOptions {
  /** Where the node is, such as `https://rt.example.com`. */
  readonly url: string;
  readonly key: string;
  /** Whose channels and users are meant, where the node has tenants. Commands of a batch name theirs themselves. */
  readonly tenant?: string;
  /** Of one attempt. Default 5,000. */
  readonly timeoutMs?: number;
  /** Attempts after the first, where repeating does no harm. Default 3. */
  readonly retries?: number;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
}

interface Answer {
  readonly result?: unknown;
  readonly replies?: BatchReply[];
  readonly error?: ErrorMessage;
}

const firstWaitMs = 100;
const waitMsMax = 2_000;

/**
 * The methods of the server API. All throw `ApiError` where the server refused, and `ApiUnavailable`
 * where no answer came.
 *
 * Publishing and what only reads is repeated after such a loss, and after temporary errors; a publish
 * carries an idempotency key for that, so that it takes effect once. Nothing else is repeated.
 */
export class TuttiApi {
  readonly #options: Required<Omit<TuttiApiOptions, 'tenant'>> & Pick<TuttiApiOptions, 'tenant'>;

  constructor(options: TuttiApiOptions) {
    this.#options = { timeoutMs: 5_000, retries: 3, fetch: (input, init) => fetch(input, init), ...options };
  }

  publish(channel: string, data: unknown, options: PublishOptions & ExpectedPosition = {}): Promise<PublishResult> {
    return this.#result('publish', { channel, data, ...withKey(options) }, true);
  }

  /** The responses stand in the order of the channels; one that is refused does not throw. */
  async broadcast(
    channels: readonly string[],
    data: unknown,
    options: PublishOptions = {},
  ): Promise<PublishResponse[]> {
    const params = { channels, data, ...withKey(options) };
    return (await this.#result<{ responses: PublishResponse[] }>('broadcast', params, true)).responses;
  }

  subscribe(whose: Whose, channel: string, options: SubscribeOptions = {}): Promise<Heard> {
    return this.#result('subscribe', { ...whose, channel, ...options }, false);
  }

  unsubscribe(whose: Whose, channel: string): Promise<Heard> {
    return this.#result('unsubscribe', { ...whose, channel }, false);
  }

  disconnect(whose: Whose, options: DisconnectOptions = {}): Promise<Heard> {
    return this.#result('disconnect', { ...whose, ...options }, false);
  }

  refresh(whose: Whose, options: RefreshOptions): Promise<Heard> {
    return this.#result('refresh', { ...whose, ...options }, false);
  }

  /** Ends what they were allowed, for as long as their tokens would have been good. Repeating it does no harm. */
  async revoke(whom: Revoked): Promise<void> {
    await this.#result('revoke', whom, true);
  }

  /** The same node, within a tenant: every call names it. */
  within(tenant: string): TuttiApi {
    return new TuttiApi({ ...this.#options, tenant });
  }

  /** By client id. */
  async presence(channel: string): Promise<Record<string, ClientInfo>> {
    return (await this.#result<{ presence: Record<string, ClientInfo> }>('presence', { channel }, true)).presence;
  }

  presenceStats(channel: string): Promise<{ num_clients: number; num_users: number }> {
    return this.#result('presence_stats', { channel }, true);
  }

  /** By name, each user that was asked for; at most 1,000 in one call. */
  async lastSeen(users: readonly string[]): Promise<Record<string, Seen>> {
    return (await this.#result<{ users: Record<string, Seen> }>('last_seen', { users }, true)).users;
  }

  /** Forgets when the user was last connected. Of one who still is, it is kept anew: `disconnect` first. */
  async lastSeenRemove(user: string): Promise<void> {
    await this.#result('last_seen_remove', { user }, true);
  }

  history<T = unknown>(channel: string, options: HistoryOptions = {}): Promise<HistoryResult<T>> {
    return this.#result('history', { channel, ...options }, true);
  }

  async historyRemove(channel: string): Promise<void> {
    await this.#result('history_remove', { channel }, false);
  }

  /** `pattern`: a name, or its beginning and `*`. */
  channels(options: PageOptions & { pattern?: string } = {}): Promise<ChannelsResult> {
    return this.#result('channels', options, true);
  }

  connections(options: PageOptions & { user?: string } = {}): Promise<ConnectionsResult> {
    return this.#result('connections', options, true);
  }

  info(): Promise<NodesResult> {
    return this.#result('info', {}, true);
  }

  /** Replies in the order of the commands; one that is refused does not throw. Never repeated. */
  async batch(commands: readonly BatchCommand[], options: { parallel?: boolean } = {}): Promise<BatchReply[]> {
    const { replies } = await this.#ask('batch', { commands, ...options }, false);
    if (replies === undefined) throw new ApiUnavailable('the answer to the batch has no replies');
    return replies;
  }

  async #result<T>(method: string, params: object, isRepeatable: boolean): Promise<T> {
    const { tenant } = this.#options;
    const whole = tenant === undefined ? params : { ...params, tenant };
    const { result } = await this.#ask(method, whole, isRepeatable);
    if (result === undefined) throw new ApiUnavailable(`the answer to ${method} has no result`);
    return result as T;
  }

  async #ask(method: string, params: object, isRepeatable: boolean): Promise<Answer> {
    const body = JSON.stringify(params);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#attempt(method, body);
      } catch (error) {
        const isWorthIt = error instanceof ApiUnavailable || (error instanceof ApiError && error.temporary);
        if (!isRepeatable || !isWorthIt || attempt >= this.#options.retries) throw error;
      }
      // Anywhere up to the bound: callers that failed together do not return together.
      const waitMs = Math.random() * Math.min(waitMsMax, firstWaitMs * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  async #attempt(method: string, body: string): Promise<Answer> {
    const { url, key, timeoutMs, fetch: send } = this.#options;
    let response: Response;
    let text: string;
    try {
      response = await send(`${url.replace(/\/+$/, '')}/api/${method}`, {
        method: 'POST',
        headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
        body,
        signal: AbortSignal.timeout(timeoutMs),
        // A key goes to the server it is for, and nowhere else.
        redirect: 'error',
      });
      text = await response.text();
    } catch (cause) {
      throw new ApiUnavailable(`no answer to ${method}`, { cause });
    }
    const answer = parsed(text);
    if (isError(answer?.error)) throw new ApiError(response.status, answer.error);
    if (answer === undefined || !response.ok) {
      throw new ApiUnavailable(`${method}: status ${response.status}, and no answer of this API`);
    }
    return answer;
  }
}

/** One for all attempts of a call: what the first began, the others do not repeat (DEL-6). */
function withKey<T extends PublishOptions>(options: T): T & { idempotency_key: string } {
  return { ...options, idempotency_key: options.idempotency_key ?? crypto.randomUUID() };
}

function parsed(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isError(error: unknown): error is ErrorMessage {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number';
}
