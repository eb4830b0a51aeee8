import { useSignal } from '@preact/signals';
import { Avatar } from './avatar.tsx';
import { nameLengthMax } from './names.ts';
import type { ChatRoom } from './room.ts';
import { me, rename } from '../identity.ts';

/** Most people listed; the rest is a number. */
const peopleShownMax = 60;

export function PeopleList({ room }: { room: ChatRoom }) {
  const people = room.people.value;
  const mine = people.find((person) => person.user === me.value);
  const hidden = people.length - peopleShownMax;
  return (
    <aside class="people">
      <NameForm />
      {mine !== undefined && mine.devices > 1 && (
        <p class="faint">
          You are here on {mine.devices} devices. To talk as somebody else in this window, change the name above.
        </p>
      )}
      <h2>
        Here now <span class="count">{people.length}</span>
      </h2>
      <ul>
        {people.slice(0, peopleShownMax).map((person) => (
          <li key={person.user}>
            <Avatar name={person.user} />
            <bdi class="name">{person.user || 'anonymous'}</bdi>
            {person.user === me.value && <span class="tag">you</span>}
            {person.devices > 1 && (
              <span class="tag" title={`${person.devices} connections`}>
                ×{person.devices}
              </span>
            )}
          </li>
        ))}
      </ul>
      {hidden > 0 && <p class="faint">and {hidden} more</p>}
    </aside>
  );
}

function NameForm() {
  const draft = useSignal<string | undefined>(undefined);
  const shown = draft.value ?? me.value;
  const save = (event: Event) => {
    event.preventDefault();
    if (draft.value !== undefined) rename(draft.value);
    draft.value = undefined;
  };
  return (
    <form class="name-form" onSubmit={save}>
      <label for="name">Your name</label>
      <div class="row">
        <input
          id="name"
          autoComplete="off"
          maxLength={nameLengthMax}
          value={shown}
          onInput={(event) => (draft.value = event.currentTarget.value)}
        />
        {draft.value !== undefined && draft.value !== me.value && <button type="submit">Save</button>}
      </div>
    </form>
  );
}
