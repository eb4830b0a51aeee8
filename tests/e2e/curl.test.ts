import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, startNode, type StartedNode } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';

// The reader that everybody has: the transcripts of docs/guides/sse.md, with the real curl.

const service = await requireService('curl');
const skip = 'skip' in service ? service.skip : false;
const curl = 'path' in service ? service.path : '';
const channel = 'ticker:prices';
const timeout = 60_000;

let node: StartedNode;
before(async () => {
  node = await startNode({
    namespaces: { ticker: { historySize: 10_000 } },
    settings: { allowAnonymous: true },
  });
});
after(() => node.close());

/** A curl that reads until it is killed, and all that it wrote. */
class Curl {
  output = '';
  readonly #child;

  constructor(...args: string[]) {
    this.#child = spawn(curl, ['-sN', ...args], { stdio: ['ignore', 'pipe', 'inherit'], timeout });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  async kill(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }

  /** Resolves when it has ended by itself. */
  async ended(): Promise<string> {
    await once(this.#child, 'close');
    return this.output;
  }

  /** Of whole events only: the last one may be cut in the middle. */
  get events(): { id: string; offset: number | undefined }[] {
    const blocks = this.output.split('\n\n').slice(0, -1);
    return blocks.flatMap((block) => {
      const id = /^id: (.+)$/m.exec(block)?.[1];
      const data = /^data: (.+)$/m.exec(block)?.[1];
      if (id === undefined) return [];
      return [{ id, offset: data === undefined ? undefined : (JSON.parse(data) as { offset: number }).offset }];
    });
  }

  get offsets(): number[] {
    return this.events.flatMap(({ offset }) => (offset === undefined ? [] : [offset]));
  }
}

test('DEL-2: curl on uni_sse, killed and resumed by Last-Event-ID, misses nothing', { skip, timeout }, async () => {
  const url = `${node.url}/connection/uni_sse?channels=${channel}`;
  const total = 600;
  const seen: number[] = [];
  let last: string | undefined;
  let published = 0;
  const publishing = (async (): Promise<void> => {
    // Not before the first curl stands somewhere.
    await eventually(() => last !== undefined);
    for (; published < total; published += 1) await node.server.publish(channel, { n: published });
  })();
  while (seen.length < total) {
    const reader = new Curl(...(last === undefined ? [] : ['-H', `Last-Event-ID: ${last}`]), url);
    const wanted = last === undefined ? 0 : Math.min(60, total - seen.length);
    await eventually(() => reader.events.length > 0 && reader.offsets.length >= wanted);
    await reader.kill();
    seen.push(...reader.offsets);
    last = reader.events.at(-1)?.id ?? last;
  }
  await publishing;
  assert.deepEqual(
    seen,
    Array.from({ length: total }, (_, i) => i + 1),
  );
});

test('curl polls with entity tags alone', { skip, timeout }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-curl-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tag = join(folder, 'tag');
  const url = `${node.url}/connection/poll?channels=ticker:tags`;
  await node.server.publish('ticker:tags', { n: 1 });
  await new Curl('--etag-save', tag, url).ended();
  assert.match(await readFile(tag, 'utf8'), /^"[\w-]+"/);
  const unchanged = await new Curl('--etag-compare', tag, '-w', '%{http_code}', `${url}&wait=0`).ended();
  assert.equal(unchanged, '304');
  const waiting = new Curl('--etag-compare', tag, '--etag-save', tag, url).ended();
  await node.server.publish('ticker:tags', { n: 2 });
  const answer = JSON.parse(await waiting) as { channels: Record<string, { publications: { offset: number }[] }> };
  assert.deepEqual(
    answer.channels['ticker:tags']?.publications.map(({ offset }) => offset),
    [2],
  );
});
