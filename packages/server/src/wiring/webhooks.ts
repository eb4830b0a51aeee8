import { namespaceOf } from '../config/channel-name.ts';
import type { Settings } from '../config/options.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { version } from '../version.ts';
import { replayDeadLetters, type ReplayReport } from '../webhooks/replay.ts';
import { WebhookSender } from '../webhooks/webhook-sender.ts';
import { webhookFolder, Webhooks, type WebhooksSeams } from '../webhooks/webhooks.ts';

/** Undefined: none is configured. */
export function webhooksOf(
  settings: Settings,
  seams: Omit<WebhooksSeams, 'version' | 'namespaceOf'>,
): Webhooks | undefined {
  if (settings.webhooks.length === 0) return undefined;
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
