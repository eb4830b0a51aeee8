/**
 * The catalogue of rejections: answers that refuse one command. The page docs/spec/errors.md is
 * generated from it, and a test fails where the two differ.
 */

export interface RejectionKind {
  readonly code: number;
  readonly name: string;
  /** What happened, as the client sees it. */
  readonly message: string;
  /** What to do about it; empty where it would only repeat the message. */
  readonly remedy: string;
  /** True: the same command may succeed later. SDKs retry these with back-off. */
  readonly temporary: boolean;
}

function kind(code: number, name: string, message: string, remedy: string, temporary = false): RejectionKind {
  return { code, name, message, remedy, temporary };
}

/** Codes 100–113 are the Centrifuge protocol's; 120–199 are Tutti's; 400–1999 belong to applications. */
export const rejections = {
  internal: kind(100, 'internal', 'internal server error', 'Retry; the node log has the cause.', true),
  unauthorized: kind(101, 'unauthorized', 'unauthorized', 'Connect with a valid token.'),
  unknownChannel: kind(
    102,
    'unknown channel',
    'unknown channel',
    'Configure the namespace in front of the colon, or correct the channel name.',
  ),
  permissionDenied: kind(
    103,
    'permission denied',
    'permission denied',
    "Give the user the right: by token, by capability, or by the namespace's allow options.",
  ),
  methodNotFound: kind(104, 'method not found', 'method not found', 'Register the RPC method, or correct its name.'),
  alreadySubscribed: kind(
    105,
    'already subscribed',
    'already subscribed',
    'Unsubscribe first, or keep the subscription.',
  ),
  limitExceeded: kind(106, 'limit exceeded', 'limit exceeded', 'Stay within the limit that the message names.'),
  badRequest: kind(107, 'bad request', 'bad request', 'Correct the command as the message says.'),
  notAvailable: kind(
    108,
    'not available',
    'not available',
    'Enable the feature (history, presence) in the options of the namespace.',
  ),
  tokenExpired: kind(109, 'token expired', 'token expired', 'Fetch a new token and repeat.'),
  expired: kind(110, 'expired', 'expired', 'Fetch a new token and repeat.'),
  tooManyRequests: kind(111, 'too many requests', 'too many requests', 'Slow down and retry.', true),
  unrecoverablePosition: kind(
    112,
    'unrecoverable position',
    'unrecoverable position',
    'Load the current state, then subscribe without a position.',
  ),
  concurrentPagination: kind(113, 'concurrent pagination', 'concurrent pagination', 'Retry the page.', true),
  storageUnavailable: kind(
    120,
    'storage unavailable',
    'the log cannot accept writes now',
    'Retry with the same idempotency key; operators: free disk space or mend the engine.',
    true,
  ),
  hookUnavailable: kind(
    122,
    'hook unavailable',
    'the application could not be asked',
    'Retry; operators: the metric tutti_hook_calls_total and the log say why.',
    true,
  ),
  positionConflict: kind(
    121,
    'position conflict',
    'the channel is not at the expected offset',
    'Read the history since your position, then publish with the new expected offset.',
  ),
} as const satisfies Record<string, RejectionKind>;

/** Refuses one command; the connection goes on. Thrown where the reason is known. */
export class Rejection extends Error {
  readonly kind: RejectionKind;

  /** `detail` replaces the general message where something more exact can be said. It is shown to the client. */
  constructor(kind: RejectionKind, detail?: string) {
    super(detail ?? kind.message);
    this.name = 'Rejection';
    this.kind = kind;
  }
}
