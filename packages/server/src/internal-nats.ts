/** Like internal.ts, of what lives in NATS: apart from it, because this needs the drivers. */
export { ensureStream, namesOf, NatsBroker, NatsLink, type NatsBrokerOptions } from './broker/nats/index.ts';
export { NatsControlBus } from './cluster/nats/nats-control-bus.ts';
export { NatsRevocationList } from './revocation/nats/nats-revocation-list.ts';
export { NatsLastSeen } from './last-seen/nats/nats-last-seen.ts';
export { hashOf as hashOfUser } from './last-seen/nats/seen-message.ts';
