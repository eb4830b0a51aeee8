/**
 * - `new`: nothing but `connect` is understood.
 * - `authenticating`: commands that came in the same frame wait for the verdict.
 * - `refused`: the connect was answered with an error; the client will leave, or is stale soon.
 * - `open`, `closed`.
 */
export type SessionState = 'new' | 'authenticating' | 'refused' | 'open' | 'closed';
