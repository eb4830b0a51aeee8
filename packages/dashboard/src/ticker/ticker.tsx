import type { Signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { TickerFeed, tickerChannel } from './feed.ts';
import type { Quote } from './quotes.ts';
import { Sparkline } from './sparkline.tsx';
import { formatChange, formatPrice, formatRate, formatTimeOfDay } from '../format.ts';
import { link } from '../live.ts';
import { now } from '../now.ts';

export function Ticker() {
  const feed = useMemo(() => new TickerFeed(), []);
  useEffect(() => () => feed.close(), [feed]);
  const quotes = feed.quotes.value;
  return (
    <section class="page">
      <div class="page-head">
        <div>
          <h1>Ticker</h1>
          <p class="faint">
            channel <code>{tickerChannel}</code>, one key a symbol
          </p>
        </div>
        <Rate feed={feed} />
      </div>
      {feed.refusal.value !== '' && (
        <p class="banner warn">The ticker cannot be subscribed to: {feed.refusal.value}.</p>
      )}
      {quotes.length === 0 ? (
        <p class="empty">Waiting for the first price. Prices here are made up by the server.</p>
      ) : (
        <div class="table-box">
          <table class="ticker" data-stale={link.value.phase !== 'connected'}>
            <thead>
              <tr>
                <th scope="col">Symbol</th>
                <th scope="col" class="number">
                  Price
                </th>
                <th scope="col" class="number">
                  Change
                </th>
                <th scope="col" class="trend">
                  Last ticks
                </th>
                <th scope="col" class="number wide-only">
                  Updated
                </th>
              </tr>
            </thead>
            <tbody>
              {quotes.map((quote) => (
                <Row key={quote.peek().symbol} quote={quote} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="faint">
        Made-up prices, published by the server many times a second; every open page shows the same ones.
      </p>
    </section>
  );
}

function Rate({ feed }: { feed: TickerFeed }) {
  return (
    <p class="figure">
      <strong>{formatRate(feed.meter.perSecond(now.value))}</strong> updates a second
    </p>
  );
}

function Row({ quote }: { quote: Signal<Quote> }) {
  const { symbol, price, change, timeMs, pulse, series } = quote.value;
  return (
    <tr data-trend={change >= 0 ? 'up' : 'down'}>
      <th scope="row">
        <bdi>{symbol}</bdi>
      </th>
      <td class="number">
        {/* A new key is a new element, and a new element starts its flash. */}
        <span key={pulse?.atMs} class="flash" data-direction={pulse?.direction}>
          {formatPrice(price)}
        </span>
      </td>
      <td class="number change">{formatChange(change)}</td>
      <td class="trend">
        <Sparkline series={series} />
      </td>
      <td class="number faint wide-only">
        {formatTimeOfDay(timeMs)}:{String(new Date(timeMs).getSeconds()).padStart(2, '0')}
      </td>
    </tr>
  );
}
