import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { outgoingMessagesMax } from './message-list.ts';
import type { ChatRoom } from './room.ts';

const messageLengthMax = 2000;

export function Composer({ room }: { room: ChatRoom }) {
  const draft = useSignal('');
  const field = useRef<HTMLTextAreaElement>(null);
  const isFull = room.list.value.outgoing.length >= outgoingMessagesMax;

  const send = (event?: Event) => {
    event?.preventDefault();
    const text = draft.value.trim();
    if (text === '' || isFull) return;
    room.send(text);
    draft.value = '';
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes, Enter belongs to it.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
  };
  const onInput = (event: { currentTarget: HTMLTextAreaElement }) => {
    draft.value = event.currentTarget.value;
    if (draft.value.trim() !== '') room.typed();
  };

  return (
    <form class="composer" onSubmit={send}>
      <textarea
        ref={field}
        rows={1}
        aria-label={`Message to ${room.name}`}
        placeholder={isFull ? 'Too many messages wait to be sent' : `Message to ${room.name}`}
        maxLength={messageLengthMax}
        value={draft}
        onInput={onInput}
        onKeyDown={onKeyDown}
      />
      <button type="submit" class="primary" disabled={isFull || draft.value.trim() === ''}>
        Send
      </button>
    </form>
  );
}
