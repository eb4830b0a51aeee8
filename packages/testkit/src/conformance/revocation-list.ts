import assert from 'node:assert/strict';
import { test } from 'node:test';
import { revocationPageMax, type Revocation, type RevocationList } from '@tutti/server/internal';

export interface RevocationListUnderTest {
  /** Not started. */
  readonly list: RevocationList;
  /** Another node's view of the same list, not started; absent where the implementation is one process's. */
  readonly other?: RevocationList;
  /** Wall time, as the list sees it. */
  now(): number;
  /** Absent where the list takes its time from elsewhere. */
  advance?(ms: number): void;
  dispose(): Promise<void>;
}

export interface RevocationListConformanceOptions {
  /** What the list was made to hold at most; absent: it has no bound of its own. */
  readonly revocationsMax?: number;
  /** Every hint arrives, at least on the node that appended. */
  readonly hints: boolean;
}

/** What every list of revocations promises; `create` makes an empty one. */
export function revocationListConformance(
  name: string,
  create: () => Promise<RevocationListUnderTest>,
  options: RevocationListConformanceOptions,
): void {
  const it = (
    title: string,
    body: (made: RevocationListUnderTest, hints: { count: number }) => Promise<void>,
  ): void => {
    test(`${title} [${name}]`, async () => {
      const made = await create();
      const hints = { count: 0 };
      try {
        await made.list.start({ changed: () => (hints.count += 1) });
        await made.other?.start({ changed: () => undefined });
        await body(made, hints);
      } finally {
        await made.list.close();
        await made.other?.close();
        await made.dispose();
      }
    });
  };
  it('CON-6: what was appended is read from then on, oldest first, and once', async ({ list, now }, hints) => {
    assert.deepEqual((await list.readSince('')).revocations, []);
    const entries = ['ann', 'bob', '__proto__', 'a\nb', "it's; --"].map((subject) => ofUser(subject, now()));
    for (const entry of entries) await list.append(entry);
    const first = await list.readSince('');
    assert.deepEqual(first.revocations, entries);
    assert.equal(first.hasMore, false);
    assert.deepEqual(await list.readSince(first.version), { ...first, revocations: [] });
    const token: Revocation = { what: 'token', tenant: 'acme', subject: 'id', issuedBeforeMs: now() };
    await list.append(token);
    assert.deepEqual((await list.readSince(first.version)).revocations, [token]);
    if (options.hints) assert.equal(hints.count, entries.length + 1);
  });

  it('CON-6: a subject has one entry: the newer one, with the later of both times', async ({ list, now }) => {
    const { version } = await list.readSince('');
    await list.append({ ...ofUser('ann', now() + 5_000), expiresAtMs: now() + 90_000 });
    await list.append(ofUser('bob', now()));
    await list.append({ ...ofUser('ann', now()), expiresAtMs: now() + 60_000 });
    const later = { ...ofUser('ann', now() + 5_000), expiresAtMs: now() + 90_000 };
    assert.deepEqual((await list.readSince(version)).revocations, [ofUser('bob', now()), later]);
    await list.append(ofUser('ann', now()));
    assert.deepEqual(
      (await list.readSince('')).revocations[1],
      ofUser('ann', now() + 5_000),
      'one without an end wins',
    );
  });

  it('S11: the same subject of another tenant, or of another kind, is another entry', async ({ list, now }) => {
    const entries = (['user', 'token', 'session'] as const).flatMap((what) =>
      ['', 'acme', 'rival'].map((tenant): Revocation => ({ what, tenant, subject: 'x', issuedBeforeMs: now() })),
    );
    for (const entry of entries) await list.append(entry);
    assert.deepEqual((await list.readSince('')).revocations, entries);
  });

  it('a long list comes in pages that leave nothing out', async ({ list, now }) => {
    if (options.revocationsMax !== undefined && options.revocationsMax <= revocationPageMax) return;
    const count = revocationPageMax + 3;
    await Promise.all(Array.from({ length: count }, (_, i) => list.append(ofUser(`u${i}`, now()))));
    const first = await list.readSince('');
    assert.deepEqual([first.revocations.length, first.hasMore], [revocationPageMax, true]);
    const second = await list.readSince(first.version);
    assert.deepEqual([second.revocations.length, second.hasMore], [3, false]);
    const subjects = new Set([...first.revocations, ...second.revocations].map(({ subject }) => subject));
    assert.equal(subjects.size, count);
  });

  it('a version that the list never gave is the beginning', async ({ list, now }) => {
    await list.append(ofUser('ann', now()));
    for (const version of ['999999999999', 'nonsense', '-1', '9'.repeat(40)]) {
      assert.equal((await list.readSince(version)).revocations.length, 1, version);
    }
  });

  it('CON-6: a version never returns, though the newest entry expired: what comes after it is read', async (made) => {
    const { list, now, advance } = made;
    if (advance === undefined) return;
    await list.append({ ...ofUser('ann', now()), expiresAtMs: now() + 1_000 });
    const { version } = await list.readSince('');
    advance(2_000);
    await list.append(ofUser('bob', now()));
    await list.append(ofUser('eve', now()));
    const { revocations } = await list.readSince(version);
    assert.deepEqual(
      revocations.map(({ subject }) => subject),
      ['bob', 'eve'],
    );
  });

  it('S34: a full list takes no more, and forgets none for it; those that expired make room', async (made) => {
    const { list, now, advance } = made;
    const { revocationsMax } = options;
    if (revocationsMax === undefined) return;
    await Promise.all(
      Array.from({ length: revocationsMax }, (_, i) =>
        list.append({ ...ofUser(`u${i}`, now()), ...(i === 0 ? { expiresAtMs: now() + 1_000 } : {}) }),
      ),
    );
    await assert.rejects(list.append(ofUser('one more', now())), /revocationsMax/);
    await list.append(ofUser('u1', now() + 1));
    if (advance === undefined) return;
    advance(2_000);
    await list.append(ofUser('one more', now()));
    await assert.rejects(list.append(ofUser('two more', now())), /revocationsMax/);
  });

  it('CON-6: what one node appended, another reads', async ({ list, other, now }) => {
    if (other === undefined) return;
    const { version } = await other.readSince('');
    await list.append(ofUser('ann', now()));
    assert.deepEqual((await other.readSince(version)).revocations, [ofUser('ann', now())]);
  });
}

function ofUser(subject: string, issuedBeforeMs: number): Revocation {
  return { what: 'user', tenant: '', subject, issuedBeforeMs };
}
