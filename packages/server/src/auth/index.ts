/** Who is this, and may they? */
export type { Authenticator, Capability, Identity, SubscriptionGrant, Verb } from './authenticator.ts';
export type { Authorizer, Question } from './authorizer.ts';
export { InsecureAuthenticator } from './insecure-authenticator.ts';
export { JwtAuthenticator, type JwtAuthenticatorSettings } from './jwt-authenticator.ts';
export { mintToken, type TokenDraft } from './mint-token.ts';
export { NamespaceAuthorizer } from './namespace-authorizer.ts';
