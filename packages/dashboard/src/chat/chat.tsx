import { useComputed, useSignal } from '@preact/signals';
import { useLocation, useRoute } from 'preact-iso';
import { useEffect, useMemo } from 'preact/hooks';
import { Composer } from './composer.tsx';
import { MessageLog } from './message-log.tsx';
import { cleanRoom } from './names.ts';
import { PeopleList } from './people-list.tsx';
import { ChatRoom } from './room.ts';
import { RoomList } from './room-list.tsx';
import { addRoom } from './rooms.ts';
import { describeTyping } from './typing.ts';
import { me } from '../identity.ts';
import { link, reconnectNow } from '../live.ts';
import { now } from '../now.ts';
import { describeLink } from '../ui/link-status.tsx';

export function Chat() {
  const { query } = useRoute();
  const { route } = useLocation();
  const name = cleanRoom(query['room'] ?? '') || 'general';
  const user = me.value;
  const room = useMemo(() => new ChatRoom(name, user), [name, user]);
  useEffect(() => {
    addRoom(name);
    return () => room.close();
  }, [room]);

  return (
    <div class="chat">
      <RoomList current={name} onOpen={(next) => route(`/chat?room=${encodeURIComponent(next)}`)} />
      <section class="conversation" aria-label={`Room ${name}`}>
        <header>
          <h1>
            <span class="hash" aria-hidden="true">
              #
            </span>
            {name}
          </h1>
          <p class="faint">
            channel <code>chat:{name}</code>
          </p>
        </header>
        <LinkBanner />
        <Notice room={room} />
        <MessageLog room={room} me={user} />
        <Typing room={room} />
        <Composer key={name} room={room} />
      </section>
      <PeopleList room={room} />
    </div>
  );
}

/** Said in the middle of the page, because it changes what sending means. */
function LinkBanner() {
  const wasConnected = useSignal(false);
  const phase = useComputed(() => link.value.phase);
  useEffect(() => {
    if (phase.value === 'connected') wasConnected.value = true;
  }, [phase.value]);
  if (phase.value === 'connected' || (phase.value === 'connecting' && !wasConnected.value)) return null;
  return (
    <p class="banner warn">
      <strong>{describeLink(link.value, now.value)}.</strong>{' '}
      {phase.value === 'stopped' ? 'Reload the page to try again.' : 'Messages wait here and are sent afterwards.'}
      {phase.value === 'waiting' && (
        <button type="button" class="quiet" onClick={reconnectNow}>
          Try now
        </button>
      )}
    </p>
  );
}

function Notice({ room }: { room: ChatRoom }) {
  if (room.notice.value === '') return null;
  return (
    <p class="banner" role="status">
      {room.notice}
      <button type="button" class="quiet" onClick={() => (room.notice.value = '')}>
        Dismiss
      </button>
    </p>
  );
}

function Typing({ room }: { room: ChatRoom }) {
  const text = describeTyping(room.typing.value);
  return (
    <p class="typing" aria-live="polite" data-active={text !== ''}>
      {text !== '' && <span class="dots" aria-hidden="true" />}
      {text}
    </p>
  );
}
