/** The server API of Tutti, for backends. Runs wherever `fetch` is. */
export { TuttiApi, type TuttiApiOptions } from './tutti-api.ts';
export { ApiError, ApiUnavailable } from './errors.ts';
export type * from './messages.ts';
export { verifySignature, type SignedRequest } from './verify-signature.ts';
