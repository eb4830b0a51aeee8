import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { unknownName } from './problem.ts';
import { isRecord, type Report } from './read-namespaces.ts';
import {
  webhookDefaults,
  webhookEventNames,
  webhookProblem,
  webhooksMax,
  type Webhook,
  type WebhookEventName,
} from './webhook.ts';
import { parseWritten } from './written-value.ts';

const members = ['name', 'url', 'secret', 'secrets', 'secretFile', 'events', 'namespaces', 'batchMax', 'batchDelay'];
const shape = '{name, url, secret, events, namespaces?, batchMax?, batchDelay?}';

/** A list of webhooks, as written. `folder`: what secret files are relative to. Unsound ones are left out, and reported. */
export function readWebhooks(written: unknown, folder: string, report: Report): Webhook[] {
  if (!Array.isArray(written)) {
    report('', 'must be a list: [{"name": "app", "url": "https://…", "secret": "…", "events": ["connected"]}]');
    return [];
  }
  if (written.length > webhooksMax) report('', `has more than ${webhooksMax} webhooks`);
  const read: Webhook[] = [];
  for (const [index, item] of written.slice(0, webhooksMax).entries()) {
    const webhook = readWebhook(item, folder, (path, message) => report(`[${index}]${path}`, message));
    if (webhook === undefined) continue;
    // They would share a folder.
    if (read.some(({ name }) => name === webhook.name)) report(`[${index}].name`, 'is the name of an earlier webhook');
    else read.push(webhook);
  }
  return read;
}

function readWebhook(written: unknown, folder: string, report: Report): Webhook | undefined {
  const { name, url } = isRecord(written) ? written : {};
  if (!isRecord(written) || typeof name !== 'string' || typeof url !== 'string') {
    report('', `must be ${shape}`);
    return undefined;
  }
  for (const key of Object.keys(written)) {
    if (!members.includes(key)) report(`.${key}`, unknownName(key, members, 'a member of a webhook'));
  }
  const { batchMax = webhookDefaults.batchMax } = written;
  const secrets = readSecrets(written, folder, report);
  const events = readEvents(written['events'], report);
  const namespaces = written['namespaces'];
  const batchDelayMs = readDelay(written['batchDelay'], report);
  if (namespaces !== undefined && !isTexts(namespaces)) {
    report('.namespaces', 'must be a list of namespaces: ["chat", "news"]');
    return undefined;
  }
  if (secrets === undefined || events === undefined || batchDelayMs === undefined) return undefined;
  const webhook = {
    ...{ name, url, secrets, events, batchMax: Number(batchMax), batchDelayMs },
    ...(namespaces === undefined ? {} : { namespaces: [...namespaces] }),
  };
  const problem = webhookProblem(webhook);
  if (problem === undefined) return webhook;
  report('', `is not usable: ${problem}`);
  return undefined;
}

function readEvents(written: unknown, report: Report): WebhookEventName[] | undefined {
  if (written === '*') return [...webhookEventNames];
  const known: readonly string[] = webhookEventNames;
  if (!isTexts(written)) {
    report('.events', `must be "*" or a list of: ${known.join(', ')}`);
    return undefined;
  }
  const unknown = written.filter((name) => !known.includes(name));
  for (const name of unknown) report('.events', unknownName(name, known, 'an event'));
  return unknown.length > 0 ? undefined : webhookEventNames.filter((name) => written.includes(name));
}

function readDelay(written: unknown, report: Report): number | undefined {
  if (written === undefined) return webhookDefaults.batchDelayMs;
  const parsed = parseWritten({ type: 'duration', default: '250ms', since: '0.1', description: '' }, written, false);
  if ('value' in parsed) return Number(parsed.value);
  report('.batchDelay', parsed.problem);
  return undefined;
}

/** Exactly one of `secret`, `secrets` and `secretFile`. */
function readSecrets(
  { secret, secrets, secretFile }: Readonly<Record<string, unknown>>,
  folder: string,
  report: Report,
): string[] | undefined {
  const given = [secret, secrets, secretFile].filter((value) => value !== undefined);
  if (given.length === 1 && typeof secret === 'string') return [secret];
  if (given.length === 1 && isTexts(secrets)) return [...secrets];
  if (given.length !== 1 || typeof secretFile !== 'string') {
    report('', 'must have one of secret (text), secrets (a list) and secretFile (the name of a file)');
    return undefined;
  }
  try {
    return [readFileSync(resolve(folder, secretFile), 'utf8').trim()];
  } catch (error) {
    report('.secretFile', `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function isTexts(written: unknown): written is string[] {
  return Array.isArray(written) && written.every((item) => typeof item === 'string');
}
