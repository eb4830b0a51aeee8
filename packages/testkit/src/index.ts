export { VirtualClock } from './virtual-clock.ts';
export { SeededRandom } from './seeded-random.ts';
export { eventually, type EventuallyOptions } from './eventually.ts';
export {
  closePayload,
  HostileWebSocket,
  opcodes,
  rawExchange,
  rawFrame,
  upgradeRequest,
  type RawAnswer,
  type RawFrame,
  type ServerFrame,
  type UpgradeRequestOptions,
} from './hostile-websocket.ts';
export {
  startFaultProxy,
  type Direction,
  type FaultProxy,
  type FaultProxyOptions,
  type Faults,
} from './fault-proxy.ts';
export { BusProxy, type BusProxyOptions, type LosesTopic } from './bus-proxy.ts';
export { certificatesMissing, TestAuthority, type Certificate } from './certificates.ts';
export { transportConformance, type TransportPeer, type TransportUnderTest } from './conformance/transport.ts';
export { hooksConformance, type HookScript, type HooksUnderTest, type SeenAsk } from './conformance/hooks.ts';
export { brokerConformance, type BrokerConformanceOptions, type BrokerUnderTest } from './conformance/broker.ts';
export { controlBusConformance, type ControlBusUnderTest } from './conformance/control-bus.ts';
export { presenceConformance, type PresenceUnderTest } from './conformance/presence.ts';
export { MemoryBusNetwork, type MemoryBus, type MemoryBusFaults } from './memory-bus.ts';
export { LossyBroker, type DecideFate, type Fate } from './lossy-broker.ts';
export { EventLog, type LoggedEvent } from './event-log.ts';
export { startNode, type StartedNode, type StartNodeOptions } from './start-node.ts';
export { freePort, spawnNode, type SpawnedNode } from './spawn-node.ts';
export { HttpProxy, type HttpProxyOptions, type UpgradeFate } from './http-proxy.ts';
export { startHaproxy, startNginx, type ProxyOptions, type RunningProxy } from './proxies.ts';
export { connectClient, type ConnectClientOptions, type ConnectedClient, type Followed } from './connect-client.ts';
export { testSettings, testTokenSecret, type TestSettings, type TestTokens } from './test-settings.ts';
export { PlainEventSource, type StreamEvent } from './plain-event-source.ts';
export { smallDisk } from './small-disk.ts';
export {
  revocationListConformance,
  type RevocationListConformanceOptions,
  type RevocationListUnderTest,
} from './conformance/revocation-list.ts';
export {
  lastSeenConformance,
  type LastSeenConformanceOptions,
  type LastSeenUnderTest,
} from './conformance/last-seen.ts';
export { HintlessRevocationList } from './hintless-revocation-list.ts';
export {
  masterName,
  redisMissing,
  startRedis,
  startRedisCluster,
  startRedisSentinels,
  type RedisCluster,
  type RedisOptions,
  type RedisSentinels,
  type RedisServer,
} from './redis-servers.ts';
export { startNatsCluster, type NatsCluster, type NatsClusterOptions, type NatsServer } from './nats-cluster.ts';
