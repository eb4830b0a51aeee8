import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mintToken, type TokenDraft } from '@tutti/server/auth';
import { defaultSettings, type Namespace, type Settings } from '@tutti/server/config';
import { openNamespace } from './core-node.ts';

export interface TestSettings {
  readonly settings?: Partial<Omit<Settings, 'namespaces' | 'dataDir'>>;
  /** By name. What is not said is open to everyone and keeps nothing (`openNamespace`). */
  readonly namespaces?: Readonly<Record<string, Partial<Namespace>>>;
}

/** Mints tokens that the node believes. */
export interface TestTokens {
  token(draft: TokenDraft): Promise<string>;
  subscriptionToken(draft: TokenDraft & { readonly channel: string }): Promise<string>;
}

export const testTokenSecret = 'a secret that every test of this repository knows';

/** A secure node on any free port of this machine, that logs nothing. */
export function testSettings(options: TestSettings, dataDir: string): Settings {
  const namespaces = Object.entries(options.namespaces ?? {});
  return {
    ...defaultSettings(),
    host: '127.0.0.1',
    port: 0,
    logLevel: 'silent',
    tokenHmacSecret: testTokenSecret,
    ...options.settings,
    dataDir,
    namespaces: new Map(namespaces.map(([name, namespace]) => [name, openNamespace(name, namespace)])),
  };
}

export function testTokens({ tokenHmacSecret }: Settings): TestTokens {
  const key = { alg: 'HS256', secret: tokenHmacSecret } as const;
  return {
    token: (draft) => mintToken(draft, key),
    subscriptionToken: (draft) => mintToken(draft, key),
  };
}

export interface TestFolder {
  readonly path: string;
  remove(): Promise<void>;
}

export async function testFolder(): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), 'tutti-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** `http://host:port` → where WebSocket clients connect. */
export function webSocketUrl(url: string): string {
  return `${url.replace(/^http/, 'ws')}/connection/websocket`;
}
