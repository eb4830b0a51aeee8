/**
 * Order among the commands of one channel: each starts when the one before it has ended. A lane
 * exists only while something in it is under way. Bound: the caller's on commands under way.
 */
export class Lanes {
  readonly #ends = new Map<string, Promise<void>>();

  /** `task` never rejects. Without a lane, or in an empty one, it starts at once. */
  run(lane: string | undefined, task: () => Promise<void> | void): void {
    const before = lane === undefined ? undefined : this.#ends.get(lane);
    const end = before === undefined ? task() : before.then(task);
    if (end === undefined || lane === undefined) return;
    this.#ends.set(lane, end);
    void end.then(() => {
      if (this.#ends.get(lane) === end) this.#ends.delete(lane);
    });
  }
}
