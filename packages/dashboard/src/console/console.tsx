import { useEffect, useMemo, useState } from 'preact/hooks';
import '../styles/console.css';
import { Chart } from './chart.tsx';
import type { ChartLine } from './chart.tsx';
import { operatorKey, signOut } from './operator.ts';
import { SignIn } from './sign-in.tsx';
import { seriesOf } from './stats.ts';
import type { NodeStats } from './stats.ts';
import { StatsFeed } from './stats-feed.ts';
import { TryChannel } from './try-channel.tsx';
import { formatBytes, formatCount, formatDuration, formatRate } from '../format.ts';
import { link } from '../live.ts';

const messageLines: readonly ChartLine[] = [
  { label: 'delivered', color: '--accent', isFilled: true },
  { label: 'published', color: '--brass' },
];
const connectionLines: readonly ChartLine[] = [
  { label: 'connections', color: '--violet', isFilled: true },
  { label: 'subscriptions', color: '--accent' },
];

export function Console() {
  const feed = useMemo(() => new StatsFeed(), []);
  useEffect(() => () => feed.close(), [feed]);
  const [chosen, choose] = useState('');
  const nodes = feed.nodes.value;
  const samples = nodes.of(chosen);
  const latest = samples.at(-1);
  const messages = useMemo(() => seriesOf(samples, ['deliveriesPerSecond', 'publicationsPerSecond']), [samples]);
  const connections = useMemo(() => seriesOf(samples, ['connections', 'subscriptions']), [samples]);
  const { value: current } = link;
  if (current.phase === 'stopped') return <SignIn reason={current.reason} />;
  if (feed.refusal.value !== '') return <SignIn reason={feed.refusal.value} />;
  return (
    <section class="page" data-stale={current.phase !== 'connected'}>
      <div class="page-head">
        <div>
          <h1>Console</h1>
          <p class="faint">{describeNode(latest)}</p>
        </div>
        {operatorKey.value !== '' && (
          <button type="button" class="quiet" onClick={signOut}>
            Forget the key
          </button>
        )}
      </div>
      {nodes.latest.length > 1 && <NodeTable nodes={nodes.latest} chosen={latest?.node ?? ''} choose={choose} />}
      <Tiles stats={latest} />
      <div class="charts">
        <Chart title="Messages a second" lines={messageLines} series={messages} />
        <Chart title="Who is connected" lines={connectionLines} series={connections} />
      </div>
      <div class="halves">
        <TopChannels stats={latest} />
        <TryChannel />
      </div>
    </section>
  );
}

function describeNode(stats: NodeStats | undefined): string {
  if (stats === undefined) return 'Waiting for the first figures…';
  return [
    stats.node && `node ${stats.node}`,
    stats.version && `version ${stats.version}`,
    Number.isNaN(stats.uptimeSeconds) ? '' : `up for ${formatDuration(stats.uptimeSeconds)}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The nodes of a cluster; what is below is of the one chosen. */
function NodeTable(props: { nodes: readonly NodeStats[]; chosen: string; choose: (node: string) => void }) {
  return (
    <section class="card">
      <h2>Nodes</h2>
      <div class="table-box">
        <table class="nodes">
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">Version</th>
              {['Up for', 'Connections', 'Memory', 'Loop lag'].map((name) => (
                <th key={name} scope="col" class="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.nodes.map((stats) => (
              <tr key={stats.node} data-chosen={stats.node === props.chosen}>
                <th scope="row">
                  <button
                    type="button"
                    aria-pressed={stats.node === props.chosen}
                    onClick={() => props.choose(stats.node)}
                  >
                    <bdi>{stats.node}</bdi>
                  </button>
                </th>
                <td>{stats.version}</td>
                <td class="number">{Number.isNaN(stats.uptimeSeconds) ? '–' : formatDuration(stats.uptimeSeconds)}</td>
                <td class="number">{formatCount(stats.connections)}</td>
                <td class="number">{formatBytes(stats.rssBytes)}</td>
                <td class="number">{Number.isNaN(stats.loopLagMs) ? '–' : `${formatRate(stats.loopLagMs)} ms`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Tiles({ stats }: { stats: NodeStats | undefined }) {
  const value = (read: (stats: NodeStats) => string) => (stats === undefined ? '–' : read(stats));
  const tiles: readonly (readonly [string, string])[] = [
    ['Connections', value((s) => formatCount(s.connections))],
    ['Channels', value((s) => formatCount(s.channels))],
    ['Commands/s', value((s) => formatRate(s.commandsPerSecond))],
    ['Received/s', value((s) => formatBytes(s.bytesInPerSecond))],
    ['Sent/s', value((s) => formatBytes(s.bytesOutPerSecond))],
    ['CPU', value((s) => (Number.isNaN(s.cpuPercent) ? '–' : `${formatRate(s.cpuPercent)}%`))],
    ['Memory', value((s) => formatBytes(s.rssBytes))],
    ['Loop lag', value((s) => (Number.isNaN(s.loopLagMs) ? '–' : `${formatRate(s.loopLagMs)} ms`))],
  ];
  return (
    <dl class="tiles">
      {tiles.map(([name, text]) => (
        <div key={name} class="tile">
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function TopChannels({ stats }: { stats: NodeStats | undefined }) {
  const channels = stats?.topChannels ?? [];
  const most = channels[0]?.subscribers ?? 0;
  return (
    <section class="card">
      <h2>Busiest channels</h2>
      {channels.length === 0 ? (
        <p class="faint">None yet.</p>
      ) : (
        <table class="channels">
          <thead>
            <tr>
              <th scope="col">Channel</th>
              <th scope="col" class="number">
                Subscribers
              </th>
            </tr>
          </thead>
          <tbody>
            {channels.map(({ channel, subscribers }) => (
              <tr key={channel}>
                <th scope="row">
                  <bdi>{channel}</bdi>
                  <span class="bar" style={{ '--share': String(most > 0 ? subscribers / most : 0) }} />
                </th>
                <td class="number">{formatCount(subscribers)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
