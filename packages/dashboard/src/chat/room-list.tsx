import { useSignal } from '@preact/signals';
import { cleanRoom, roomLengthMax } from './names.ts';
import { ownRooms, standingRooms } from './rooms.ts';

interface RoomListProps {
  current: string;
  onOpen: (room: string) => void;
}

export function RoomList({ current, onOpen }: RoomListProps) {
  const draft = useSignal('');
  const open = (event: Event) => {
    event.preventDefault();
    const room = cleanRoom(draft.value);
    if (room === '') return;
    draft.value = '';
    onOpen(room);
  };
  return (
    <aside class="rooms">
      <h2>Rooms</h2>
      <nav aria-label="Rooms">
        {[...standingRooms, ...ownRooms.value].map((room) => (
          <a key={room} href={`/chat?room=${room}`} aria-current={room === current ? 'true' : undefined}>
            {room}
          </a>
        ))}
      </nav>
      <form onSubmit={open}>
        <input
          aria-label="Name of a new room"
          placeholder="New room"
          maxLength={roomLengthMax}
          value={draft}
          onInput={(event) => (draft.value = event.currentTarget.value)}
        />
        <button type="submit">Open</button>
      </form>
    </aside>
  );
}
