import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openNamespace } from '@tutti/testkit/core-node';
import { hookProblems } from './hook-problems.ts';
import type { Settings } from './options.ts';
import { defaultSettings } from './presets.ts';

const secret = 'x'.repeat(32);
const url = 'https://app.example.com/hook';

function problems(settings: Partial<Settings>, functions: readonly string[] = []): string[] {
  const found = hookProblems({ ...defaultSettings(), ...settings }, new Set(functions));
  return found.map(({ option, path = '', message }) => `${option}${path} ${message}`);
}

function chat(options: Parameters<typeof openNamespace>[1]): Partial<Settings> {
  return { namespaces: new Map([['chat', openNamespace('chat', options)]]) };
}

test('no hooks, and sound ones, have no problems', () => {
  assert.deepEqual(problems({}), []);
  assert.deepEqual(problems({ rpcHookUrl: 'http://10.0.0.7:8080/rpc', hookSecret: secret }), []);
  assert.deepEqual(problems({ ...chat({ subscribeHook: true, publishHook: true }) }, ['subscribe', 'publish']), []);
  assert.deepEqual(problems({ hookHeaders: ['Cookie', 'X-Request-Id'], allowedOrigins: ['https://a.example'] }), []);
});

const unsound: readonly [settings: Partial<Settings>, functions: readonly string[], problem: RegExp][] = [
  [{ rpcHookUrl: 'app.example.com', hookSecret: secret }, [], /^rpcHookUrl must be an http or https address/],
  [{ rpcHookUrl: 'ftp://app.example.com', hookSecret: secret }, [], /^rpcHookUrl must be an http or https address/],
  [{ rpcHookUrl: 'http://u:p@app.example.com', hookSecret: secret }, [], /^rpcHookUrl must not hold a user/],
  [{ rpcHookUrl: url }, [], /^hookSecret must have at least 32 bytes/],
  [{ rpcHookUrl: url, hookSecret: secret }, ['rpc'], /^rpcHookUrl is given, and hooks.rpc is a function/],
  [{ hookTimeoutMs: 2_000, hookTotalTimeoutMs: 1_000 }, [], /^hookTotalTimeout must not be shorter/],
  [{ hookHeaders: ['x y'] }, [], /^hookHeaders has "x y"/],
  [{ hookHeaders: ['Content-Length'] }, [], /^hookHeaders has content-length, which belongs/],
  [{ hookHeaders: ['tutti-signature'] }, [], /^hookHeaders has tutti-signature/],
  [chat({ subscribeHook: true }), [], /^namespaces.chat has subscribeHook, and there is no/],
  [chat({ publishHook: true }), ['subscribe'], /^namespaces.chat has publishHook, and there is no/],
  [chat({ subscribeHook: true, allowSubscribe: 'nobody' }), ['subscribe'], /never be asked/],
];
for (const [settings, functions, problem] of unsound) {
  test(`${JSON.stringify({ ...settings, namespaces: undefined })} with [${functions.join()}]: ${problem.source}`, () => {
    const found = problems(settings, functions);
    assert.equal(found.length, 1, found.join());
    assert.match(found[0]!, problem);
  });
}

test('S1: cookies are shown to hooks only where it is known whose pages connect', () => {
  const [found = ''] = problems({ hookHeaders: ['Cookie'], allowedOrigins: ['*'] });
  assert.match(found, /^hookHeaders has cookie, and allowedOrigins lets every page connect/);
});

test('no problem repeats a secret', () => {
  const text = problems({ rpcHookUrl: 'http://planted:planted@x', connectHookUrl: 'planted' }).join();
  assert.doesNotMatch(text, /planted/);
});
