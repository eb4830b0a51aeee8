import type { ReceivedPublication } from '@tutti/client';

import { plain, type Output } from './output.ts';

/** One publication: an object for programs, a line for people. */
export function showPublication(publication: ReceivedPublication, output: Output): void {
  const { channel, data, offset, time, key, info, tags, skipped, final } = publication;
  const record = {
    type: 'publication',
    channel,
    data,
    ...(offset ? { offset } : {}),
    ...(time ? { time } : {}),
    ...(key ? { key } : {}),
    ...(info === undefined ? {} : { user: info.user, client: info.client }),
    ...(tags === undefined ? {} : { tags }),
    ...(skipped ? { skipped } : {}),
    ...(final ? { final } : {}),
  };
  const parts = [
    output.paint('cyan', plain(channel)),
    offset ? output.dim(`#${offset}`) : '',
    time ? output.dim(clockTime(time)) : '',
    info === undefined ? '' : output.paint('green', plain(info.user === '' ? 'anonymous' : info.user)),
    key ? output.paint('magenta', plain(key)) : '',
    plain(JSON.stringify(data) ?? ''),
  ];
  output.result(record, parts.filter((part) => part !== '').join(' '));
}

function clockTime(time: number): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
