import { batch, computed, signal } from '@preact/signals';
import type { ReadonlySignal } from '@preact/signals';
import {
  addOutgoing,
  addPublications,
  emptyMessageList,
  forgetStored,
  oldestOffset,
  removeOutgoing,
  setOutgoing,
} from './message-list.ts';
import type { MessageList } from './message-list.ts';
import { joined, left, membersFrom, peopleOf } from './people.ts';
import type { Members } from './people.ts';
import { TypingSigns, TypingThrottle } from './typing.ts';
import { newId, openChannel } from '../live.ts';
import type { ChannelHandle, LivePublication } from '../live.ts';
import { now } from '../now.ts';

const pageSize = 40;

/**
 * One open room: what the view shows, as signals, and what it may do. Two channels: `chat:<room>`
 * has the messages, `typing:<room>` the signs of typing, which are never stored.
 */
export class ChatRoom {
  readonly name: string;
  readonly list = signal<MessageList>(emptyMessageList);
  readonly members = signal<Members>(new Map());
  readonly hasOlder = signal(false);
  readonly isLoading = signal(true);
  /** A sentence for the reader about something that went wrong; empty for nothing. */
  readonly notice = signal('');
  readonly typing: ReadonlySignal<readonly string[]>;
  readonly people = computed(() => peopleOf(this.members.value, this.#me));

  readonly #me: string;
  readonly #chat: ChannelHandle;
  readonly #typingChannel: ChannelHandle;
  readonly #signs = new TypingSigns();
  readonly #throttle = new TypingThrottle();
  readonly #signsChanged = signal({ atMs: 0 });
  #isClosed = false;

  constructor(name: string, me: string) {
    this.name = name;
    this.#me = me;
    // Told by every sign, and by every second of the page's clock, which ends old ones.
    this.typing = computed(() => this.#signs.active(Math.max(this.#signsChanged.value.atMs, now.value)));
    this.#chat = openChannel(`chat:${name}`, {
      publication: (publication) => this.#received(publication),
      joined: (member) => (this.members.value = joined(this.members.value, member)),
      left: (member) => this.#left(member.client, member.user),
      live: (recovered) => {
        void this.#entered(recovered);
      },
      gap: () => {
        void this.#gap();
      },
      refused: (reason) => {
        this.isLoading.value = false;
        this.notice.value = `This room cannot be opened: ${reason}.`;
      },
    });
    this.#typingChannel = openChannel(`typing:${name}`, {
      publication: (publication) => {
        if (publication.user === undefined || publication.user === me) return;
        this.#signs.sign(publication.user, Date.now());
        this.#signsChanged.value = { atMs: Date.now() };
      },
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#chat.close();
    this.#typingChannel.close();
  }

  send(text: string): void {
    const id = newId();
    this.list.value = addOutgoing(this.list.value, id, text, Date.now());
    this.#throttle.reset();
    void this.#publish(id, text);
  }

  retry(id: string): void {
    const message = this.list.value.outgoing.find((candidate) => candidate.id === id);
    if (message === undefined || message.state !== 'failed') return;
    this.list.value = setOutgoing(this.list.value, id, 'pending');
    void this.#publish(id, message.text);
  }

  discard(id: string): void {
    this.list.value = removeOutgoing(this.list.value, id);
  }

  /** A key was pressed in the composer. */
  typed(): void {
    if (!this.#throttle.allows(Date.now())) return;
    // Lost signs are no loss: the next one follows.
    this.#typingChannel.publish({ typing: true }).catch(() => undefined);
  }

  async loadOlder(): Promise<void> {
    const before = oldestOffset(this.list.value);
    if (before === undefined || this.isLoading.value) return;
    await this.#load({ offset: before, epoch: this.list.value.epoch });
  }

  /** The same id on every attempt: the server answers a repeated publish with its first result (DEL-6). */
  async #publish(id: string, text: string): Promise<void> {
    try {
      await this.#chat.publish({ id, text }, { idempotencyKey: id });
      // The echo has usually replaced it by now; then this changes nothing.
      this.list.value = setOutgoing(this.list.value, id, 'sent');
    } catch (error) {
      this.list.value = setOutgoing(this.list.value, id, 'failed', reasonOf(error));
    }
  }

  #received(publication: LivePublication): void {
    batch(() => {
      this.list.value = addPublications(this.list.value, [publication], publication.epoch ?? '', this.#me);
      if (publication.user === undefined) return;
      this.#signs.clear(publication.user);
      this.#signsChanged.value = { atMs: Date.now() };
    });
  }

  #left(client: string, user: string): void {
    this.members.value = left(this.members.value, { client, user });
    if ([...this.members.value.values()].includes(user)) return;
    this.#signs.clear(user);
    this.#signsChanged.value = { atMs: Date.now() };
  }

  async #entered(recovered: boolean): Promise<void> {
    const presence = this.#chat.presence().then(
      (members) => (this.members.value = membersFrom(members)),
      () => undefined,
    );
    if (!recovered || this.list.value.stored.length === 0) await this.#load();
    await presence;
  }

  async #gap(): Promise<void> {
    this.list.value = forgetStored(this.list.value);
    this.notice.value =
      'Some messages may be missing: the room no longer has all that came while you were away. The latest are shown.';
    await this.#load();
  }

  async #load(before?: { offset: number; epoch: string }): Promise<void> {
    this.isLoading.value = true;
    try {
      const page = await this.#chat.history({ limit: pageSize, reverse: true, ...(before && { since: before }) });
      if (this.#isClosed) return;
      batch(() => {
        this.list.value = addPublications(this.list.value, page.publications, page.epoch, this.#me);
        this.hasOlder.value = page.publications.length === pageSize;
      });
    } catch (error) {
      this.notice.value = `The earlier messages could not be loaded: ${reasonOf(error)}.`;
    } finally {
      this.isLoading.value = false;
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : 'unknown reason';
}
