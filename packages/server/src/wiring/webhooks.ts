import { namespaceOf } from '../config/channel-name.ts';
import type { Settings } from '../config/options.ts';
import type { Peers } from '../cluster/peers.ts';
import type { Clock } from '../core/clock.ts';
import { ClusterOccupancy } from '../observer/cluster-occupancy.ts';
import type { NodeObserver } from '../observer/node-observer.ts';
import { ReplicatedPresence } from '../presence/replicated.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { version } from '../version.ts';
import { replayDeadLetters, type ReplayReport } from '../webhooks/replay.ts';
import { WebhookSender } from '../webhooks/webhook-sender.ts';
import { webhookFolder, Webhooks, type WebhooksSeams } from '../webhooks/webhooks.ts';

export interface WiredWebhooks {
  readonly figures: Webhooks['figures'];
  /** Of what happens on this node. */
  readonly observer: NodeObserver;
  /** Before the peers start, and once they have started. Neither rejects. */
  start(): Promise<void>;
  open(): Promise<void>;
  /** Before the peers close. Never rejects. */
  close(): Promise<void>;
}

/** Undefined: none is configured. `peers` are of a cluster; undefined: this node is alone. */
export function webhooksOf(
  settings: Settings,
  seams: Omit<WebhooksSeams, 'version' | 'namespaceOf'>,
  peers: Peers | undefined,
): WiredWebhooks | undefined {
  if (settings.webhooks.length === 0) return undefined;
  const webhooks = made(settings, seams);
  const occupancy = occupancyOf(webhooks, settings, seams.clock, peers);
  return {
    get figures() {
      return webhooks.figures;
    },
    observer: occupancy === undefined ? webhooks : withOccupancy(webhooks, occupancy),
    start: async () => {
      await webhooks.start();
      await occupancy?.start();
    },
    open: async () => occupancy?.open(),
    close: async () => {
      await occupancy?.close();
      await webhooks.close();
    },
  };
}

/** Undefined: what happens on this node is all there is, or nobody wants to know. */
function occupancyOf(
  webhooks: Webhooks,
  { nodeLeaseMs: leaseMs }: Settings,
  clock: Clock,
  peers: Peers | undefined,
): ClusterOccupancy | undefined {
  if (peers === undefined || !webhooks.observesOccupancy) return undefined;
  const nodes = new ReplicatedPresence({ peers, clock, topic: 'occupancy' });
  const wants = (channel: string): boolean => webhooks.observesOccupancyOf(channel);
  return new ClusterOccupancy({ peers, clock, nodes, wants, leaseMs }, webhooks);
}

function withOccupancy(webhooks: Webhooks, occupancy: ClusterOccupancy): NodeObserver {
  return {
    connected: (session) => webhooks.connected(session),
    disconnected: (session, ending) => webhooks.disconnected(session, ending),
    subscribed: (session, channel) => webhooks.subscribed(session, channel),
    unsubscribed: (session, channel, ending) => webhooks.unsubscribed(session, channel, ending),
    occupied: (channel) => occupancy.occupied(channel),
    vacated: (channel) => occupancy.vacated(channel),
    observesPublished: (namespace) => webhooks.observesPublished(namespace),
    published: (channel, draft, position) => webhooks.published(channel, draft, position),
  };
}

function made(settings: Settings, seams: Omit<WebhooksSeams, 'version' | 'namespaceOf'>): Webhooks {
  const payloads = new Map([...settings.namespaces.values()].map(({ name, payload }) => [name, payload]));
  return new Webhooks(settings, {
    ...seams,
    version,
    namespaceOf: (channel) => {
      const name = namespaceOf(channel);
      return { name, payload: payloads.get(name) ?? 'json' };
    },
  });
}

export interface WebhookReplay extends ReplayReport {
  readonly webhook: string;
}

/**
 * Offers the dead letters of the configured webhooks again, one webhook after another; a node of the same data
 * folder may run meanwhile. `name`: only this one. Throws where a folder cannot be read.
 */
export async function replayWebhooks(settings: Settings, name?: string): Promise<WebhookReplay[]> {
  const clock = new SystemClock();
  const reports: WebhookReplay[] = [];
  for (const webhook of settings.webhooks) {
    if (name !== undefined && name !== webhook.name) continue;
    const sender = new WebhookSender(webhook, settings, { clock, version });
    try {
      const folder = webhookFolder(settings.dataDir, webhook.name);
      const { batchMax } = webhook;
      const report = await replayDeadLetters({ folder, batchMax, send: (lines) => sender.send(lines) }, clock.now());
      reports.push({ webhook: webhook.name, ...report });
    } finally {
      sender.close();
    }
  }
  return reports;
}
