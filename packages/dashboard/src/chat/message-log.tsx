import { useSignal } from '@preact/signals';
import { Fragment } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { Avatar } from './avatar.tsx';
import type { OutgoingMessage, StoredMessage } from './message-list.ts';
import type { ChatRoom } from './room.ts';
import { formatDay, formatTimeOfDay } from '../format.ts';
import { link } from '../live.ts';
import { now } from '../now.ts';

/** Messages of one author within this time stand under one name. */
const groupMs = 5 * 60_000;
/** Nearer to the end than this counts as being at the end: new messages are followed. */
const endPx = 60;

interface LogProps {
  room: ChatRoom;
  me: string;
}

export function MessageLog({ room, me }: LogProps) {
  const { stored, outgoing } = room.list.value;
  const log = useFollowEnd([stored, outgoing]);
  const firstUnread = useUnread(stored, me);
  return (
    <div
      class="log"
      ref={log}
      tabIndex={0}
      role="log"
      aria-live="polite"
      aria-label="Messages"
      aria-busy={room.isLoading.value}
    >
      {room.hasOlder.value && (
        <button type="button" class="older" disabled={room.isLoading.value} onClick={() => void room.loadOlder()}>
          {room.isLoading.value ? 'Loading…' : 'Load older messages'}
        </button>
      )}
      {stored.length === 0 && outgoing.length === 0 && (
        <p class="empty">
          {room.isLoading.value ? 'Loading…' : 'No message yet. Say something: everybody here will see it.'}
        </p>
      )}
      <ol>
        {stored.map((message, index) => (
          <Fragment key={message.key}>
            <Separator before={stored[index - 1]} message={message} />
            {message.key === firstUnread && <li class="separator unread">New</li>}
            <Message
              message={message}
              isMine={message.author === me}
              isGrouped={isGrouped(stored[index - 1], message)}
            />
          </Fragment>
        ))}
        {outgoing.map((message, index) => (
          <Outgoing
            key={message.id}
            message={message}
            room={room}
            me={me}
            isGrouped={index > 0 || stored.at(-1)?.author === me}
          />
        ))}
      </ol>
    </div>
  );
}

function Separator({ before, message }: { before: StoredMessage | undefined; message: StoredMessage }) {
  if (Number.isNaN(message.timeMs)) return null;
  const day = formatDay(message.timeMs, now.peek());
  if (before !== undefined && !Number.isNaN(before.timeMs) && formatDay(before.timeMs, now.peek()) === day) return null;
  return <li class="separator">{day}</li>;
}

interface MessageProps {
  message: StoredMessage;
  isMine: boolean;
  isGrouped: boolean;
}

/** Names and texts are other people's: always text nodes, isolated so that their direction stays theirs. */
function Message({ message, isMine, isGrouped }: MessageProps) {
  return (
    <li class="message" data-mine={isMine} data-grouped={isGrouped}>
      {!isGrouped && <Avatar name={message.author} />}
      {!isGrouped && (
        <p class="who">
          <bdi class="name">{message.author}</bdi>
          <time dateTime={isoOf(message.timeMs)}>{formatTimeOfDay(message.timeMs)}</time>
        </p>
      )}
      <p class={message.raw ? 'text raw' : 'text'} dir="auto" title={formatTimeOfDay(message.timeMs)}>
        {message.text}
      </p>
    </li>
  );
}

interface OutgoingProps extends LogProps {
  message: OutgoingMessage;
  isGrouped: boolean;
}

function Outgoing({ message, room, me, isGrouped }: OutgoingProps) {
  return (
    <li class="message outgoing" data-mine="true" data-grouped={isGrouped} data-state={message.state}>
      {!isGrouped && <Avatar name={me} />}
      {!isGrouped && (
        <p class="who">
          <bdi class="name">{me}</bdi>
        </p>
      )}
      <p class="text" dir="auto">
        {message.text}
      </p>
      {message.state === 'failed' ? (
        <p class="state">
          Not sent: {message.reason}.
          <button type="button" class="quiet" onClick={() => room.retry(message.id)}>
            Try again
          </button>
          <button type="button" class="quiet" onClick={() => room.discard(message.id)}>
            Discard
          </button>
        </p>
      ) : (
        <p class="state">{describeState(message.state)}</p>
      )}
    </li>
  );
}

function describeState(state: 'pending' | 'sent'): string {
  if (state === 'sent') return 'Sent';
  return link.value.phase === 'connected' ? 'Sending…' : 'Waits for the connection';
}

function isGrouped(before: StoredMessage | undefined, message: StoredMessage): boolean {
  if (before === undefined || before.author !== message.author) return false;
  return (
    message.timeMs - before.timeMs < groupMs &&
    formatDay(before.timeMs, now.peek()) === formatDay(message.timeMs, now.peek())
  );
}

function isoOf(timeMs: number): string | undefined {
  return Number.isFinite(timeMs) ? new Date(timeMs).toISOString() : undefined;
}

/** Keeps the end in view while the reader is at it, and the place of the reader while older messages are put above. */
function useFollowEnd(dependencies: readonly unknown[]) {
  const log = useRef<HTMLDivElement>(null);
  const before = useRef({ height: 0, isAtEnd: true });
  useEffect(() => {
    const element = log.current;
    if (element === null) return undefined;
    const measure = () => {
      const distance = element.scrollHeight - element.scrollTop - element.clientHeight;
      before.current = { height: element.scrollHeight, isAtEnd: distance < endPx };
    };
    element.addEventListener('scroll', measure, { passive: true });
    return () => element.removeEventListener('scroll', measure);
  }, []);
  useLayoutEffect(() => {
    const element = log.current;
    if (element === null) return;
    if (before.current.isAtEnd) element.scrollTop = element.scrollHeight;
    else if (element.scrollTop < endPx) element.scrollTop += element.scrollHeight - before.current.height;
    before.current.height = element.scrollHeight;
  }, [...dependencies]);
  return log;
}

/** The first message of somebody else that came while the window was hidden; until the next visit ends. */
function useUnread(stored: readonly StoredMessage[], me: string): string | undefined {
  const first = useSignal<string | undefined>(undefined);
  const seen = useRef<string | undefined>(undefined);
  useEffect(() => {
    const onChange = () => {
      if (document.hidden) first.value = undefined;
    };
    document.addEventListener('visibilitychange', onChange);
    return () => document.removeEventListener('visibilitychange', onChange);
  }, []);
  useEffect(() => {
    const last = stored.at(-1);
    const isNew = last !== undefined && last.key !== seen.current && seen.current !== undefined;
    if (isNew && document.hidden && first.value === undefined && last.author !== me) first.value = last.key;
    seen.current = last?.key;
  }, [stored]);
  return first.value;
}
