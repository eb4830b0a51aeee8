import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { isAlive, PidFile } from './pid-file.ts';

const faces = { url: 'http://127.0.0.1:1', metricsUrl: 'http://127.0.0.1:1/metrics' };

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tutti-pid-'));
  t.after(() => {
    rmSync(path, { recursive: true });
  });
  return path;
}

test('written, read, removed; the folder is made', (t) => {
  const file = new PidFile(join(folder(t), 'data'));
  assert.equal(file.read(), undefined);
  assert.equal(file.write(faces), undefined);
  const node = file.read();
  assert.equal(node?.pid, process.pid);
  assert.equal(node?.metricsUrl, faces.metricsUrl);
  assert.ok(node !== undefined && isAlive(node));
  file.remove();
  assert.equal(file.read(), undefined);
});

const hasProc = existsSync('/proc/self/stat');

test(
  'the file of another node that runs is left alone; that of one that ended is replaced',
  { skip: hasProc ? false : 'no /proc here' },
  async (t) => {
    const file = new PidFile(folder(t));
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
    t.after(() => child.kill('SIGKILL'));
    await once(child, 'spawn');
    file.write(faces);
    const own = JSON.parse(readFileSync(file.path, 'utf8')) as Record<string, unknown>;
    const other = { ...own, pid: child.pid, began: beganOf(child.pid ?? 0) };
    writeFileSync(file.path, JSON.stringify(other));
    assert.match(file.write(faces) ?? '', /another node/);
    assert.equal(file.read()?.pid, child.pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(file.write(faces), undefined);
    assert.equal(file.read()?.pid, process.pid);
  },
);

test('a process that only has the same number is not the node', (t) => {
  const file = new PidFile(folder(t));
  file.write(faces);
  const node = file.read();
  assert.ok(node !== undefined);
  assert.equal(isAlive({ ...node, began: 'long ago' }), false);
});

test('what this program did not write is no node: above all nothing that would signal a group of processes', (t) => {
  const file = new PidFile(folder(t));
  const others = [
    '',
    '123',
    'null',
    '[]',
    '{"pid":',
    ...[-1, 0, 1.5, '7'].map((pid) => JSON.stringify({ ...faces, began: '', pid })),
  ];
  for (const text of others) {
    writeFileSync(file.path, text);
    assert.equal(file.read(), undefined, text);
  }
});

test('a folder that cannot be written to is told', (t) => {
  const blocker = join(folder(t), 'file');
  writeFileSync(blocker, '');
  assert.match(new PidFile(join(blocker, 'data')).write(faces) ?? '', /ENOTDIR|EEXIST/);
});

/** As the system tells it. */
function beganOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
