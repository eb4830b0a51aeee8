import { markOf, tenants, type Tenant } from './tenants.ts';

const crossingsMax = 20;

/** What was seen, by where it was seen: a way of connecting, `api`, `hooks`, `webhooks`. */
export class Tally {
  /** Some of the crossings, in words. */
  readonly crossings: string[] = [];
  readonly crossed = new Map<string, number>();
  /** Chunks, answers and requests with something of their own tenant in it: else nothing would be shown. */
  readonly own = new Map<string, number>();
  readonly answered = new Map<string, number>();
  readonly refused = new Map<string, number>();
  commands = 0;
  unanswered = 0;

  /** Looks for marks in what was given to `tenant`, or said to be its; undefined: to nobody in particular. */
  look(where: string, tenant: string | undefined, bytes: Buffer, what: () => string): void {
    for (const other of tenants) {
      if (!bytes.includes(markOf(other))) continue;
      if (other === tenant) add(this.own, where);
      else this.crossing(where, `${tenant ?? 'nobody in particular'} was given something of ${other}: ${what()}`);
    }
  }

  crossing(where: string, what: string): void {
    add(this.crossed, where);
    if (this.crossings.length < crossingsMax) this.crossings.push(`${where}: ${what}`);
  }

  get figures(): Record<string, unknown> {
    const { commands, unanswered, own, answered, refused, crossed } = this;
    const shown = (counts: Map<string, number>): object => Object.fromEntries(counts);
    return {
      ...{ commands, unanswered, own: shown(own), answered: shown(answered), refused: shown(refused) },
      crossed: shown(crossed),
    };
  }
}

export function add(counts: Map<string, number>, where: string, by = 1): void {
  counts.set(where, (counts.get(where) ?? 0) + by);
}

export type Act = 'disconnect' | 'unsubscribe';

/** What each tenant's application did to its users: nobody else may have done it. */
export class Acts {
  readonly #counts = new Map<string, number>();

  note(tenant: Tenant, user: string, act: Act): void {
    add(this.#counts, `${tenant}\n${user}\n${act}`);
  }

  count(tenant: Tenant, user: string, act: Act): number {
    return this.#counts.get(`${tenant}\n${user}\n${act}`) ?? 0;
  }
}
