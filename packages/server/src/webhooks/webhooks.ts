import type { Position } from '@tutti/protocol';
import type { PublicationDraft } from '../broker/broker.ts';
import { tenantOf, wireName } from '../config/tenant.ts';
import type { Webhook, WebhookEventName } from '../config/webhook.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Ending, NodeObserver, SessionEnding, SessionFacts } from '../observer/node-observer.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { DeadLetters } from './dead-letters.ts';
import { Delivery } from './delivery.ts';
import { dataMember, eventLine, publishedFields, sessionFields, type Payload } from './event-line.ts';
import { Spool } from './spool.ts';
import { WebhookSender } from './webhook-sender.ts';
import type { Resolve } from './webhook-client.ts';

export interface WebhooksOptions {
  readonly webhooks: readonly Webhook[];
  readonly webhookNetworks: readonly string[];
  readonly webhookTimeoutMs: number;
  readonly webhookQueueBytesMax: number;
  readonly webhookRetryTimeMs: number;
  readonly webhookDeadLettersBytesMax: number;
  readonly webhookDrainTimeMs: number;
  readonly dataDir: string;
}

export interface WebhooksSeams {
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: Telemetry;
  readonly nodeName: string;
  readonly version: string;
  /** The namespace of a channel that is in use, named as its tenant calls it, and how its payloads are. */
  readonly namespaceOf: (channel: string) => { readonly name: string; readonly payload: Payload };
  readonly resolve?: Resolve;
}

/** Where one kind of event goes. */
interface Route {
  readonly delivery: Delivery;
  /** Undefined: all but the node's own. */
  readonly namespaces: ReadonlySet<string> | undefined;
}

/** Namespace of the node's own figures: one publication a second, of interest to consoles. */
const ownNamespace = 'tutti';

/** Where the files of a webhook are. */
export function webhookFolder(dataDir: string, name: string): string {
  return `${dataDir}/webhooks/${name}`;
}

/**
 * Tells other servers what happens on this node. Here an event becomes one line of JSON, once however
 * many webhooks want it, and is put into their queues; the rest is `Delivery`'s, later. What no webhook
 * wants costs a look at an empty list.
 */
export class Webhooks implements NodeObserver {
  readonly #options: WebhooksOptions;
  readonly #seams: WebhooksSeams;
  readonly #deliveries: Delivery[] = [];
  readonly #senders: WebhookSender[] = [];
  readonly #routes = new Map<WebhookEventName, Route[]>();
  /** Makes ids unique from one start to the next. */
  readonly #run: string;
  #count = 0;

  constructor(options: WebhooksOptions, seams: WebhooksSeams) {
    this.#options = options;
    this.#seams = seams;
    this.#run = seams.random.id();
    for (const webhook of options.webhooks) this.#add(webhook);
  }

  /** Takes up what an earlier process left. Never rejects. */
  async start(): Promise<void> {
    await Promise.all(this.#deliveries.map((delivery) => delivery.start()));
  }

  /** After the node's last events. Never rejects. */
  async close(): Promise<void> {
    await Promise.all(this.#deliveries.map((delivery) => delivery.close(this.#options.webhookDrainTimeMs)));
    for (const sender of this.#senders) sender.close();
  }

  /** Of all webhooks together; the oldest of all. */
  get figures(): { events: number; bytes: number; oldestMs: number } {
    const all = this.#deliveries.map(({ figures }) => figures);
    return {
      events: all.reduce((sum, { events }) => sum + events, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      oldestMs: all.reduce((most, { oldestMs }) => Math.max(most, oldestMs), 0),
    };
  }

  connected(session: SessionFacts): void {
    this.#tell('connected', session.tenant, () => ({ ...sessionFields(session), ...infoOf(session) }));
  }

  disconnected(session: SessionFacts, { code, reason, byPeer }: SessionEnding): void {
    const ending = { code, reason, by_peer: byPeer, lag_bytes: session.lagBytes };
    this.#tell('disconnected', session.tenant, () => ({ ...sessionFields(session), ...ending }));
  }

  subscribed(session: SessionFacts, channel: string): void {
    this.#tellOf(channel, 'subscribed', () => sessionFields(session));
  }

  unsubscribed(session: SessionFacts, channel: string, { code, reason }: Ending): void {
    this.#tellOf(channel, 'unsubscribed', () => ({ ...sessionFields(session), code, reason }));
  }

  occupied(channel: string): void {
    this.#tellOf(channel, 'occupied');
  }

  vacated(channel: string): void {
    this.#tellOf(channel, 'vacated');
  }

  /** Whether it is told of any channel. */
  get observesOccupancy(): boolean {
    return this.#routes.has('occupied') || this.#routes.has('vacated');
  }

  observesOccupancyOf(channel: string): boolean {
    const namespace = this.#seams.namespaceOf(wireName(channel)).name;
    const routes = [...(this.#routes.get('occupied') ?? []), ...(this.#routes.get('vacated') ?? [])];
    return routes.some((route) => takes(route, namespace));
  }

  observesPublished(namespace: string): boolean {
    return this.#routes.get('published')?.some((route) => takes(route, namespace)) === true;
  }

  published(channel: string, draft: PublicationDraft, position: Position | undefined): void {
    const { payload } = this.#seams.namespaceOf(wireName(channel));
    const data = dataMember(draft.data, payload);
    this.#tellOf(channel, 'published', () => publishedFields(draft, position), data);
  }

  #tellOf(channel: string, type: WebhookEventName, fields?: () => object, last?: string): void {
    const routes = this.#routes.get(type);
    if (routes === undefined) return;
    const name = wireName(channel);
    const namespace = this.#seams.namespaceOf(name).name;
    const wanted = routes.filter((route) => takes(route, namespace));
    if (wanted.length > 0) this.#offer(wanted, type, tenantOf(channel), { channel: name, ...fields?.() }, last);
  }

  #tell(type: WebhookEventName, tenant: string | undefined, fields: () => object): void {
    const routes = this.#routes.get(type);
    if (routes !== undefined) this.#offer(routes, type, tenant ?? '', fields());
  }

  #offer(routes: readonly Route[], type: WebhookEventName, tenant: string, fields: object, last?: string): void {
    const { clock, nodeName: node } = this.#seams;
    this.#count += 1;
    const id = `${this.#run}-${this.#count}`;
    const whose = tenant === '' ? {} : { tenant };
    const line = eventLine({ id, type, time: clock.now(), node, ...whose, ...fields }, last);
    for (const { delivery } of routes) delivery.offer(line);
  }

  #add(webhook: Webhook): void {
    const { clock, random, telemetry } = this.#seams;
    const folder = webhookFolder(this.#options.dataDir, webhook.name);
    const sender = new WebhookSender(webhook, this.#options, this.#seams);
    const spool = new Spool(folder, (error) => {
      telemetry.log.error(
        { webhook: webhook.name, error },
        'events of a webhook are kept in memory only: the disk failed',
      );
    });
    const deadLetters = new DeadLetters({
      folder,
      bytesMax: this.#options.webhookDeadLettersBytesMax,
      onLost: (count, error) => {
        telemetry.count('webhook_events_lost', count);
        telemetry.log.error({ webhook: webhook.name, events: count, error }, 'events of a webhook are lost');
      },
    });
    const { webhookQueueBytesMax: queueBytesMax, webhookRetryTimeMs: retryTimeMs } = this.#options;
    const delivery = new Delivery(
      { webhook, queueBytesMax, retryTimeMs },
      { clock, random, telemetry, spool, deadLetters, send: (lines) => sender.send(lines) },
    );
    this.#senders.push(sender);
    this.#deliveries.push(delivery);
    const namespaces = webhook.namespaces === undefined ? undefined : new Set(webhook.namespaces);
    for (const event of webhook.events) {
      const routes = this.#routes.get(event) ?? [];
      this.#routes.set(event, [...routes, { delivery, namespaces }]);
    }
  }
}

function takes({ namespaces }: Route, namespace: string): boolean {
  return namespaces === undefined ? namespace !== ownNamespace : namespaces.has(namespace);
}

/** What the application gave with the token is JSON; where it is not, it is told as base64. */
function infoOf({ info }: SessionFacts): { info?: unknown; b64info?: string } {
  if (info === undefined) return {};
  try {
    return { info: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(info)) as unknown };
  } catch {
    return { b64info: Buffer.from(info).toString('base64') };
  }
}
