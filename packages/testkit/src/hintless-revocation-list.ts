import {
  Fault,
  type Revocation,
  type RevocationList,
  type RevocationListEvents,
  type RevocationPage,
} from '@tutti/server/internal';

/**
 * A list whose hints are lost, as on a bus that drops them: entries arrive only where somebody reads. With
 * `isDown` it cannot be reached at all.
 */
export class HintlessRevocationList implements RevocationList {
  readonly #list: RevocationList;
  /** Hints that nobody heard. */
  lost = 0;
  isDown = false;

  constructor(list: RevocationList) {
    this.#list = list;
  }

  start(_events: RevocationListEvents): Promise<void> {
    return this.#list.start({ changed: () => (this.lost += 1) });
  }

  async append(revocation: Revocation): Promise<void> {
    this.#mustBeUp();
    await this.#list.append(revocation);
  }

  async readSince(version: string): Promise<RevocationPage> {
    this.#mustBeUp();
    return this.#list.readSince(version);
  }

  close(): Promise<void> {
    return this.#list.close();
  }

  #mustBeUp(): void {
    if (this.isDown) throw new Fault('revocation', 'the list is down, as planned', { retryable: true });
  }
}
