import { text as readText } from 'node:stream/consumers';

import type { PublishOptions } from '@tutti/client';
import type { Command } from 'commander';

import { usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { plain } from '../output.ts';
import { addLinkFlags, withServer } from '../server-link.ts';

interface Flags {
  key?: string;
  idempotencyKey?: string;
  expectedOffset?: string;
  final?: boolean;
}

export function publishCommand(command: Command, context: Context): void {
  addLinkFlags(
    command
      .command('pub')
      .alias('publish')
      .description('publish to a channel')
      .argument('<channel>', 'such as chat:general')
      .argument('<data>', 'JSON, else taken as text; - reads it from standard input')
      .option('--key <key>', 'what latest_by_key delivery conflates by')
      .option('--idempotency-key <key>', 'a repeat with the same key takes effect once')
      .option('--expected-offset <offset>', 'publish only where the channel is exactly here')
      .option('--final', 'never conflated away'),
  ).action(async (channel: string, written: string, flags: Flags) => {
    const output = context.output();
    const text = written === '-' ? await readText(process.stdin) : written;
    const data = parseData(text);
    if (typeof data === 'string' && /^\s*[{[]/.test(text))
      output.warn('the data begins as JSON does and is none: it is published as text');
    const options = publishOptions(flags);
    const result = await withServer({ ...flags }, context, { verb: 'publish', channels: [channel] }, (client) =>
      client.publish(channel, data, options),
    );
    const { offset, epoch, duplicate } = result;
    const place = offset ? `at offset ${offset}` : 'to who is there now (the channel keeps no history)';
    output.result(
      { type: 'published', channel, ...(offset ? { offset, epoch } : {}), ...(duplicate ? { duplicate } : {}) },
      `published to ${output.paint('cyan', plain(channel))} ${place}${duplicate ? ', earlier: this key was seen before' : ''}`,
    );
  });
}

/** JSON where it is JSON; else the text itself, so that `pub chat:general hello` works. */
export function parseData(written: string): unknown {
  try {
    return JSON.parse(written) as unknown;
  } catch {
    return written.replace(/\r?\n$/, '');
  }
}

function publishOptions({ key, idempotencyKey, expectedOffset, final }: Flags): PublishOptions {
  if (expectedOffset !== undefined && !/^\d{1,15}$/.test(expectedOffset)) {
    throw usageError('--expected-offset must be a whole number, 0 for an empty channel');
  }
  return {
    ...(key === undefined ? {} : { key }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(expectedOffset === undefined ? {} : { expected: { offset: Number(expectedOffset) } }),
    ...(final === undefined ? {} : { final }),
  };
}
