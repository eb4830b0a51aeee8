import type { NodeFacts } from '@tutti/api';
import type { Command } from 'commander';

import { addApiFlags, withApi } from '../api-link.ts';
import type { Context } from '../context.ts';
import { plain } from '../output.ts';

const head = ['node', 'version', 'up', 'connections', 'users', 'channels', 'memory', 'cpu', 'loop lag'];

export function nodesCommand(command: Command, context: Context): void {
  addApiFlags(
    command.command('nodes').description('the nodes of the cluster and how they are; the one that was asked first'),
  ).action(async (flags: Record<string, unknown>) => {
    const output = context.output();
    const { nodes, silent_nodes: silent = [] } = await withApi(flags, context, 'info', (api) => api.info());
    const [top = '', ...lines] = columns([head, ...nodes.map(shown)]);
    output.say(output.dim(top));
    for (const [i, node] of nodes.entries()) output.result({ type: 'node', ...node }, lines[i] ?? '');
    for (const name of silent) output.warn(`node ${name} did not answer in time: it may be cut off, or have ended`);
  });
}

function shown({ name, version, uptime, num_clients, num_users, num_channels, process }: NodeFacts): string[] {
  const { rss, cpu, loop_lag_ms: lag } = process;
  const counts = [num_clients, num_users, num_channels].map(String);
  return [
    plain(name),
    plain(version),
    duration(uptime),
    ...counts,
    `${(rss / 2 ** 20).toFixed(0)} MiB`,
    `${cpu} %`,
    `${lag} ms`,
  ];
}

/** The two largest units, such as `3d 4h`. */
function duration(seconds: number): string {
  const units: [number, string][] = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'm'],
    [1, 's'],
  ];
  let left = seconds;
  const parts = units.map(([unit, sign]) => {
    const count = Math.floor(left / unit);
    left -= count * unit;
    return [count, sign] as const;
  });
  const first = parts.findIndex(([count]) => count > 0);
  return first === -1
    ? '0s'
    : parts
        .slice(first, first + 2)
        .map(([count, sign]) => `${count}${sign}`)
        .join(' ');
}

/** Words to the left, figures to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}
