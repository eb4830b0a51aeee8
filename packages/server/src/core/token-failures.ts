import { Disconnect, disconnects, Rejection, rejections } from '@tutti/protocol';
import { BadToken } from '../auth/authenticator.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** How many tokens of an address were good for nothing of late (S9). Neither throws. */
export interface TokenFailures {
  /** Milliseconds until this address may try again; 0: it may. */
  wait(address: string): number;
  failed(address: string): void;
}

/** What a client shows a token for; a label of the metrics. */
export type TokenUse = 'connect' | 'refresh' | 'subscribe';

interface Presenter {
  readonly connection: { readonly remoteAddress: string };
}

/**
 * Has a token judged, and counts those that nobody may have issued against the address they came from.
 *
 * Who connects from an address with too many of them is refused, whatever its token: an answer would say whether
 * the guess was right. Who is connected is judged all the same, because it is perhaps another of that address who
 * guesses; but a connection whose own token is bad then ends.
 */
export async function judged<Result>(
  use: TokenUse,
  token: string,
  { connection: { remoteAddress } }: Presenter,
  { tokenFailures, telemetry }: { readonly tokenFailures?: TokenFailures; readonly telemetry: Telemetry },
  judge: () => Promise<Result>,
): Promise<Result> {
  if (use === 'connect' && token !== '') {
    const waitMs = tokenFailures?.wait(remoteAddress) ?? 0;
    if (waitMs > 0) {
      telemetry.count('tokens_refused', 1, 'address');
      throw new Rejection(rejections.tooManyRequests, `${tooMany}: retry in ${waitMs} ms`);
    }
  }
  try {
    return await judge();
  } catch (error) {
    if (!isGuess(error)) throw error;
    telemetry.count('tokens_refused', 1, use);
    const isOneTooMany = (tokenFailures?.wait(remoteAddress) ?? 0) > 0;
    tokenFailures?.failed(remoteAddress);
    if (isOneTooMany && use === 'subscribe') throw new Disconnect(disconnects.tooManyRequests, tooMany);
    throw error;
  }
}

const tooMany = 'too many bad tokens came from this address';

/** Not a token that was good once, nor one that was issued for something else. */
function isGuess(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof BadToken && !error.cause.expired;
}
