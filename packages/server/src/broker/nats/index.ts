export { NatsBroker, type NatsBrokerOptions } from './nats-broker.ts';
export { NatsLink, type NatsLinkOptions } from './nats-link.ts';
export { accessOf } from './access.ts';
export { namesOf } from './subjects.ts';
export { ensureStream } from './stream-set-up.ts';
export type { StreamNeed } from './stream-set-up.ts';
