import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPresence } from './memory.ts';

async function watched(): Promise<{ presence: MemoryPresence; told: string[] }> {
  const presence = new MemoryPresence();
  const told: string[] = [];
  await presence.start({
    join: (channel, { client }) => void told.push(`+${client} ${channel}`),
    leave: (channel, { client }) => void told.push(`-${client} ${channel}`),
  });
  return { presence, told };
}

test('PRE-5: a member is told once: again is no second join, an absent one no leave', async () => {
  const { presence, told } = await watched();
  const ann = { user: 'ann', client: 'a1' };
  await presence.add('room', ann);
  await presence.add('room', { ...ann, chan_info: Buffer.from('1') });
  await presence.remove('room', 'a1');
  await presence.remove('room', 'a1');
  await presence.remove('elsewhere', 'a1');
  assert.deepEqual(told, ['+a1 room', '-a1 room']);
});

test('PRE-2: users are counted once, however many devices they have, and leave with the last', async () => {
  const { presence } = await watched();
  for (const client of ['a1', 'a2', 'b1']) await presence.add('room', { user: client.slice(0, 1), client });
  assert.deepEqual(await presence.stats('room'), { clients: 3, users: 2 });
  await presence.remove('room', 'a1');
  assert.deepEqual(await presence.stats('room'), { clients: 2, users: 2 });
  await presence.remove('room', 'a2');
  assert.deepEqual(await presence.stats('room'), { clients: 1, users: 1 });
});

test('a member that changes its user is counted under the new one alone', async () => {
  const { presence } = await watched();
  await presence.add('room', { user: 'ann', client: 'c' });
  await presence.add('room', { user: 'bob', client: 'c' });
  assert.deepEqual(await presence.stats('room'), { clients: 1, users: 1 });
  assert.deepEqual(await presence.members('room'), [{ user: 'bob', client: 'c' }]);
});

test('S12: names that mean something to objects are ordinary here, and an empty channel leaves nothing', async () => {
  const { presence } = await watched();
  for (const name of ['__proto__', 'constructor', 'toString']) {
    await presence.add(name, { user: name, client: name });
    assert.deepEqual(await presence.stats(name), { clients: 1, users: 1 });
    assert.deepEqual(await presence.stats('other'), { clients: 0, users: 0 });
    await presence.remove(name, name);
    assert.deepEqual(await presence.members(name), []);
  }
});
