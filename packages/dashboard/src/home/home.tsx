import { useEffect, useMemo } from 'preact/hooks';
import { Score } from './score.tsx';
import { ChatRoom } from '../chat/room.ts';
import type { NodeStats } from '../console/stats.ts';
import { StatsFeed } from '../console/stats-feed.ts';
import { formatChange, formatCount, formatPrice, formatRate } from '../format.ts';
import { me } from '../identity.ts';
import { TickerFeed } from '../ticker/feed.ts';
import { Sparkline } from '../ticker/sparkline.tsx';
import { Copyable } from '../ui/copyable.tsx';

const messagesShown = 3;
const quotesShown = 4;
/** What a command needs to find this server; the usual address needs no word. */
const elsewhere = location.port === '8000' ? '' : ` --url ${location.origin}`;

export function Home() {
  return (
    <section class="page home">
      <div class="hero">
        <h1>Everybody, at the same moment.</h1>
        <p class="lead">
          Tutti is a real-time engine on your own machine: an application publishes; everyone who should know, knows, in
          order and in time.
        </p>
      </div>
      <Score />
      <div class="cards">
        <ChatCard />
        <TickerCard />
        <ConsoleCard />
      </div>
      <Next />
    </section>
  );
}

function ChatCard() {
  const user = me.value;
  const room = useMemo(() => new ChatRoom('general', user), [user]);
  useEffect(() => () => room.close(), [room]);
  const { stored } = room.list.value;
  const top = stored.at(-1)?.offset ?? stored.length;
  return (
    <article class="card">
      <h2>
        <a href="/chat">Chat</a>
      </h2>
      <p class="figures">
        <span>
          <strong>{formatCount(room.people.value.length)}</strong> here
        </span>
        <span>
          <strong>{formatCount(top)}</strong> {top === 1 ? 'message' : 'messages'}
        </span>
      </p>
      <ul class="card-body last-messages">
        {stored.slice(-messagesShown).map((message) => (
          <li key={message.key}>
            <bdi class="name">{message.author}</bdi> <bdi>{message.text}</bdi>
          </li>
        ))}
        {stored.length === 0 && <li class="faint">No message in general yet.</li>}
      </ul>
      <p class="card-foot">History, presence, typing, and nothing lost when the server restarts. Open two windows.</p>
    </article>
  );
}

function TickerCard() {
  const feed = useMemo(() => new TickerFeed(), []);
  useEffect(() => () => feed.close(), [feed]);
  const quotes = feed.quotes.value.slice(0, quotesShown);
  return (
    <article class="card">
      <h2>
        <a href="/ticker">Ticker</a>
      </h2>
      <p class="figures">
        <span>
          <strong>{formatCount(feed.quotes.value.length)}</strong> symbols
        </span>
      </p>
      <ul class="card-body quotes">
        {quotes.map((quote) => {
          const { symbol, price, change, series } = quote.value;
          return (
            <li key={symbol} data-trend={change >= 0 ? 'up' : 'down'}>
              <bdi class="name">{symbol}</bdi>
              <Sparkline series={series} />
              <span class="number">{formatPrice(price)}</span>
              <span class="number change">{formatChange(change)}</span>
            </li>
          );
        })}
        {quotes.length === 0 && <li class="faint">Waiting for the first price.</li>}
      </ul>
      <p class="card-foot">Made-up prices, many a second, the same on every screen.</p>
    </article>
  );
}

function ConsoleCard() {
  const feed = useMemo(() => new StatsFeed(), []);
  useEffect(() => () => feed.close(), [feed]);
  const nodes = feed.nodes.value.latest;
  const total = (show: (sum: number) => string, read: (stats: NodeStats) => number): string =>
    nodes.length === 0 ? '–' : show(nodes.reduce((sum, stats) => sum + read(stats), 0));
  const delivered = total(formatRate, (stats) => stats.deliveriesPerSecond);
  const rows: readonly (readonly [string, string])[] = [
    ['nodes', total(formatCount, () => 1)],
    ['connections', total(formatCount, (stats) => stats.connections)],
    ['published a second', total(formatRate, (stats) => stats.publicationsPerSecond)],
    ['delivered a second', delivered],
  ];
  return (
    <article class="card">
      <h2>
        <a href="/console">Console</a>
      </h2>
      <p class="figures">
        <span>
          <strong>{delivered}</strong> messages a second
        </span>
      </p>
      <dl class="card-body facts">
        {rows.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p class="card-foot">What the nodes do, second by second, and a channel to try by hand.</p>
    </article>
  );
}

function Next() {
  return (
    <section class="next">
      <h2>What to try next</h2>
      <ol>
        <li>
          <p>Listen from a terminal to what this page hears.</p>
          <Copyable text={`npx tutti sub ticker:prices${elsewhere}`} />
        </li>
        <li>
          <p>Say something from a terminal; watch it arrive in the chat.</p>
          <Copyable text={`npx tutti pub chat:general '{"text":"hi"}'${elsewhere}`} />
        </li>
        <li>
          <p>
            Kill the server, write a message in the <a href="/chat">chat</a> meanwhile, and start it again. The page
            comes back by itself, and nothing is missing.
          </p>
          <Copyable text="npm start" />
        </li>
      </ol>
    </section>
  );
}
