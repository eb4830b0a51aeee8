import {
  Fault,
  type LastSeen,
  type SeenBatch,
  type SeenChange,
  type SeenEntry,
  type UserName,
} from '@tutti/server/internal';

/** A store whose writes fail, or wait to be let go, as a test says; and that tells of each. */
export class HeldLastSeen implements LastSeen {
  readonly #inner: LastSeen;
  #held: (() => void)[] | undefined;
  /** Until it is false again every write fails, and nothing of it is kept. */
  isFailing = false;
  /** What was written, also where it failed. */
  readonly writes: SeenBatch[] = [];
  isClosed = false;

  constructor(inner: LastSeen) {
    this.#inner = inner;
  }

  /** As `user+` who came and `user-` who left, in the order of the writes. */
  get changes(): string[] {
    return this.writes.flatMap(({ changes }) =>
      changes.map(({ user, isHere }: SeenChange) => `${user}${isHere ? '+' : '-'}`),
    );
  }

  /** From now on writes wait. */
  hold(): void {
    this.#held ??= [];
  }

  /** Those that wait go on, in their order, and later ones do not wait. */
  letGo(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const go of held) go();
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  async write(batch: SeenBatch): Promise<void> {
    this.writes.push(batch);
    const held = this.#held;
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
    if (this.isFailing) throw new Fault('last-seen', 'a test says so', { retryable: true });
    await this.#inner.write(batch);
  }

  read(users: readonly UserName[]): Promise<readonly (SeenEntry | undefined)[]> {
    return this.#inner.read(users);
  }

  forget(user: UserName): Promise<void> {
    return this.#inner.forget(user);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return this.#inner.close();
  }
}
