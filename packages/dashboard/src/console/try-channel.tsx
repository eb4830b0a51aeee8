import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { formatTimeOfDay } from '../format.ts';
import { openChannel } from '../live.ts';
import type { ChannelHandle } from '../live.ts';

const linesMax = 50;
const lineLengthMax = 2000;

interface Line {
  readonly id: number;
  readonly kind: 'publication' | 'join' | 'leave' | 'note' | 'error';
  readonly text: string;
  readonly timeMs: number;
}

type Show = (kind: Line['kind'], text: string) => void;

/** What happens in the channel, as lines. */
function linesOf(channel: string, show: Show, close: () => void): NonNullable<Parameters<typeof openChannel>[1]> {
  return {
    publication: ({ data, offset, user }) => {
      const head = [offset === undefined ? '' : `#${offset}`, user ?? ''].filter(Boolean).join(' ');
      show('publication', `${head} ${JSON.stringify(data)}`.trim());
    },
    joined: (member) => show('join', `${member.user} joined`),
    left: (member) => show('leave', `${member.user} left`),
    live: (recovered) => show('note', recovered ? `${channel}: back, nothing missed` : `${channel}: subscribed`),
    gap: () => show('error', `${channel}: some publications were missed`),
    refused: (reason) => {
      show('error', `${channel}: ${reason}`);
      close();
    },
  };
}

/** Into the channel that is open, or into one that is opened for it alone. */
async function publishOnce(payload: string, handle: ChannelHandle | null, name: string, show: Show): Promise<void> {
  try {
    const data: unknown = JSON.parse(payload);
    const channel = handle ?? openChannel(name, undefined);
    const result = await channel.publish(data);
    if (channel !== handle) channel.close();
    show('note', result === undefined ? 'published' : `published as #${result.offset}`);
  } catch (error) {
    show('error', error instanceof SyntaxError ? `not JSON: ${error.message}` : `not published: ${String(error)}`);
  }
}

/** A channel by hand: subscribe, see what comes as it is, publish JSON. */
export function TryChannel() {
  const name = useSignal('chat:general');
  const payload = useSignal('{"text":"hello"}');
  const opened = useSignal('');
  const lines = useSignal<readonly Line[]>([]);
  const handle = useRef<ChannelHandle | null>(null);
  const nextId = useRef(0);

  const show: Show = (kind, text) => {
    nextId.current += 1;
    const line = { id: nextId.current, kind, text: text.slice(0, lineLengthMax), timeMs: Date.now() };
    lines.value = [line, ...lines.value].slice(0, linesMax);
  };
  const close = () => {
    handle.current?.close();
    handle.current = null;
    opened.value = '';
  };
  useEffect(() => close, []);

  const toggle = (event: Event) => {
    event.preventDefault();
    const channel = name.value.trim();
    const wasOpened = opened.value;
    close();
    if (channel === '' || wasOpened === channel) return;
    opened.value = channel;
    handle.current = openChannel(channel, linesOf(channel, show, close));
  };
  const publish = (event: Event) => {
    event.preventDefault();
    void publishOnce(payload.value, handle.current, name.value.trim(), show);
  };

  return (
    <section class="card try">
      <h2>Try a channel</h2>
      <form class="row" onSubmit={toggle}>
        <input
          aria-label="Channel"
          spellcheck={false}
          value={name}
          maxLength={255}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
        <button type="submit">
          {opened.value !== '' && opened.value === name.value.trim() ? 'Unsubscribe' : 'Subscribe'}
        </button>
      </form>
      <form class="row" onSubmit={publish}>
        <input
          class="mono"
          aria-label="Payload, as JSON"
          spellcheck={false}
          value={payload}
          onInput={(event) => (payload.value = event.currentTarget.value)}
        />
        <button type="submit">Publish</button>
      </form>
      <Lines lines={lines.value} />
    </section>
  );
}

function Lines({ lines }: { readonly lines: readonly Line[] }) {
  return (
    <div class="lines" role="log" aria-label="What came from the channel" tabIndex={0}>
      <ol>
        {lines.map((line) => (
          <li key={line.id} data-kind={line.kind}>
            <time>{formatTimeOfDay(line.timeMs)}</time> <bdi>{line.text}</bdi>
          </li>
        ))}
        {lines.length === 0 && <li class="faint">Nothing yet. Subscribe, then publish.</li>}
      </ol>
    </div>
  );
}
