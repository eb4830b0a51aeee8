import { inspect } from 'node:util';

export interface LoggedEvent<Events, Name extends keyof Events = keyof Events> {
  readonly name: Name;
  readonly event: Events[Name];
}

const withinMsDefault = 10_000;
const shownInFailure = 20;

/**
 * Events of one emitter in the order in which they came, and waiting for the next of a kind. What
 * came before anybody waited is not lost: `next` gives each event of a kind once.
 */
export class EventLog<Events extends object> {
  readonly entries: LoggedEvent<Events>[] = [];
  readonly #taken = new Map<keyof Events, number>();
  readonly #wake = new Set<() => void>();

  add<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    this.entries.push({ name, event });
    for (const wake of [...this.#wake]) wake();
  }

  all<Name extends keyof Events>(name: Name): Events[Name][] {
    return this.entries.filter((entry) => entry.name === name).map(({ event }) => event as Events[Name]);
  }

  /** The next event of the kind that `next` did not give yet. Rejects, with all that came, after `withinMs`. */
  async next<Name extends keyof Events>(name: Name, withinMs: number = withinMsDefault): Promise<Events[Name]> {
    const index = this.#taken.get(name) ?? 0;
    this.#taken.set(name, index + 1);
    const [event] = (await this.#until(() => this.all(name).slice(index, index + 1), 1, String(name), withinMs)) as [
      Events[Name],
    ];
    return event;
  }

  /** All events of the kind, once there are `count` or more. */
  async count<Name extends keyof Events>(
    name: Name,
    count: number,
    withinMs: number = withinMsDefault,
  ): Promise<Events[Name][]> {
    return this.#until(() => this.all(name), count, `${String(name)}, ${count} in all,`, withinMs);
  }

  #until<T>(find: () => T[], count: number, what: string, withinMs: number): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find();
        if (found.length < count) return;
        this.#wake.delete(look);
        clearTimeout(timer);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#wake.delete(look);
        const last = inspect(this.entries.slice(-shownInFailure), { depth: 4, breakLength: 120 });
        reject(new Error(`${what} did not come within ${withinMs} ms; the last of ${this.entries.length}: ${last}`));
      }, withinMs);
      this.#wake.add(look);
      look();
    });
  }
}
