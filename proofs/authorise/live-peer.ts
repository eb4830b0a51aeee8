import { disconnects, unsubscribes, type Command, type Reply } from '@tutti/protocol';
import { openLink, type Link, type Way } from './live-link.ts';
import { add, type Act, type Acts, type Tally } from './tally.ts';
import { markOf, tenants, type Tenant } from './tenants.ts';

const answerMsMax = 20_000;
/** Less than the longest mark. */
const tailBytes = Math.max(...tenants.map((tenant) => markOf(tenant).length)) - 1;

export interface LivePeerOptions {
  readonly url: string;
  readonly way: Way;
  readonly tenant: Tenant;
  readonly user: string;
  readonly token: string;
}

/** One connection of a user of a tenant, which looks at every byte that it is sent. */
export class LivePeer {
  readonly options: LivePeerOptions;
  /** Its id at the node, once it is connected. */
  client = '';
  ended = false;
  readonly #tally: Tally;
  readonly #acts: Acts;
  readonly #link: Link;
  readonly #actsBefore: Readonly<Record<Act, number>>;
  readonly #outstanding = new Set<number>();
  readonly #waiting: (() => void)[] = [];
  #lastId = 0;
  /** A mark may lie across two chunks. */
  #tail = Buffer.alloc(0);

  constructor(options: LivePeerOptions, tally: Tally, acts: Acts) {
    this.options = options;
    this.#tally = tally;
    this.#acts = acts;
    const { url, way, tenant, user, token } = options;
    this.#actsBefore = {
      disconnect: acts.count(tenant, user, 'disconnect'),
      unsubscribe: acts.count(tenant, user, 'unsubscribe'),
    };
    this.#link = openLink(way, url, {
      bytes: (chunk) => this.#look(chunk),
      reply: (reply) => this.#take(reply),
      ended: (code) => this.#end(code),
    });
    this.send({ connect: { token } });
  }

  send(...commands: Command[]): void {
    if (this.ended) return;
    const numbered = commands.map((command) => ({ id: (this.#lastId += 1), ...command }));
    for (const { id } of numbered) this.#outstanding.add(id);
    this.#tally.commands += commands.length;
    this.#link.send(this.#link.codec.encodeCommands(numbered));
  }

  /** Resolves when all is answered, or the connection has ended. */
  async settled(): Promise<void> {
    if (this.ended || this.#outstanding.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      timer = setTimeout(() => {
        this.#tally.unanswered += this.#outstanding.size;
        this.#outstanding.clear();
        resolve();
      }, answerMsMax);
    });
    clearTimeout(timer);
  }

  close(): void {
    this.ended = true;
    this.#link.close();
    this.#settle();
  }

  #look(chunk: Buffer): void {
    const { way, tenant, user } = this.options;
    const bytes = Buffer.concat([this.#tail, chunk]);
    const at = (): string => {
      const found = bytes.indexOf(markOf(tenant === 'acme' ? 'rival' : 'acme'));
      return `${user}: …${bytes.toString('utf8', Math.max(0, found - 120), found + 60)}…`;
    };
    this.#tally.look(way, tenant, bytes, at);
    this.#tail = Buffer.from(bytes.subarray(-tailBytes));
  }

  #take({ id, error, connect, push }: Reply): void {
    const { way, tenant } = this.options;
    if (push?.channel?.includes('*') === true)
      this.#tally.crossing(way, `${tenant} was told the inner name ${push.channel}`);
    if (push?.unsubscribe?.code === unsubscribes.server.code) this.#mustBeOwn('unsubscribe');
    if (id === undefined) {
      if (push === undefined) this.#link.send(this.#link.codec.encodeCommands([{}]));
      return;
    }
    if (connect?.client !== undefined) this.client = connect.client;
    add(error === undefined ? this.#tally.answered : this.#tally.refused, way);
    this.#outstanding.delete(id);
    if (this.#outstanding.size === 0) this.#settle();
  }

  #end(code: number): void {
    if (this.ended) return;
    this.ended = true;
    if (code === disconnects.forceDisconnect.code || code === disconnects.invalidToken.code)
      this.#mustBeOwn('disconnect');
    this.#settle();
  }

  #mustBeOwn(act: Act): void {
    const { way, tenant, user } = this.options;
    if (this.#acts.count(tenant, user, act) > this.#actsBefore[act]) return;
    this.#tally.crossing(way, `${user} of ${tenant} met with ${act}, and not by ${tenant}`);
  }

  #settle(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
