import { hookNames, type HookName } from '../hooks/hooks.ts';
import type { Contradiction } from './contradiction.ts';
import type { Settings } from './options.ts';

/** The option that holds the address of a hook. */
export const hookUrlOptions = {
  connect: 'connectHookUrl',
  refresh: 'refreshHookUrl',
  subscribe: 'subscribeHookUrl',
  subRefresh: 'subRefreshHookUrl',
  publish: 'publishHookUrl',
  rpc: 'rpcHookUrl',
} as const satisfies Readonly<Record<HookName, keyof Settings>>;

/** Headers that name the request itself, or its body: the client's would contradict ours. */
const ownHeaders = new Set([
  ...[
    'host',
    'connection',
    'upgrade',
    'te',
    'trailer',
    'transfer-encoding',
    'keep-alive',
    'expect',
    'proxy-connection',
  ],
  ...['content-length', 'content-type', 'content-encoding', 'accept-encoding', 'tutti-signature'],
]);
const headersMax = 32;
export const hookSecretBytesMin = 32;

/** What is wrong with the hooks. `functions`: those that are functions in this process. */
export function hookProblems(settings: Settings, functions: ReadonlySet<string>): Contradiction[] {
  const has = (name: HookName): boolean => functions.has(name) || settings[hookUrlOptions[name]] !== '';
  const withUrl = hookNames.filter((name) => settings[hookUrlOptions[name]] !== '');
  const found: Contradiction[] = withUrl.flatMap((name) => urlProblems(settings, name, functions));
  if (withUrl.length > 0 && Buffer.byteLength(settings.hookSecret) < hookSecretBytesMin) {
    const message = `must have at least ${hookSecretBytesMin} bytes where a hook has an address, so that your backend can tell who asks: openssl rand -hex 32`;
    found.push({ option: 'hookSecret', message });
  }
  if (settings.hookTotalTimeoutMs < settings.hookTimeoutMs) {
    found.push({ option: 'hookTotalTimeout', message: 'must not be shorter than hookTimeout' });
  }
  return [...found, ...headerProblems(settings), ...namespaceProblems(settings, has)];
}

function urlProblems(settings: Settings, name: HookName, functions: ReadonlySet<string>): Contradiction[] {
  const option = hookUrlOptions[name];
  if (functions.has(name)) {
    return [{ option, message: `is given, and hooks.${name} is a function, too: keep one of the two` }];
  }
  const text = settings[option];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // The text may hold a password, and is not repeated.
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return [{ option, message: 'must be an http or https address, such as https://app.example.com/tutti/connect' }];
  }
  if (url.username !== '' || url.password !== '') {
    return [{ option, message: 'must not hold a user or password: requests are signed with hookSecret' }];
  }
  return [];
}

function headerProblems({ hookHeaders, allowedOrigins }: Settings): Contradiction[] {
  const option = 'hookHeaders';
  if (hookHeaders.length > headersMax) return [{ option, message: `may name ${headersMax} headers` }];
  const names = hookHeaders.map((name) => name.toLowerCase());
  const wrong = names.find((name) => !/^[a-z0-9-]{1,64}$/.test(name));
  if (wrong !== undefined) return [{ option, message: `has ${JSON.stringify(wrong)}, which is no name of a header` }];
  const own = names.find((name) => ownHeaders.has(name));
  if (own !== undefined) return [{ option, message: `has ${own}, which belongs to the request itself` }];
  // With a cookie as credentials, any page could use the connection of its visitor (S1).
  if (names.includes('cookie') && allowedOrigins.includes('*')) {
    return [{ option, message: 'has cookie, and allowedOrigins lets every page connect: list the origins of yours' }];
  }
  return [];
}

function namespaceProblems({ namespaces }: Settings, has: (name: HookName) => boolean): Contradiction[] {
  return [...namespaces.values()].flatMap(({ name, subscribeHook, publishHook, allowSubscribe }) => {
    const found: Contradiction[] = [];
    const report = (message: string): void => void found.push({ option: 'namespaces', path: `.${name}`, message });
    if (subscribeHook && !has('subscribe')) report('has subscribeHook, and there is no subscribe hook to ask');
    if (publishHook && !has('publish')) report('has publishHook, and there is no publish hook to ask');
    if (subscribeHook && allowSubscribe === 'nobody') {
      report('has subscribeHook, and allowSubscribe nobody: the hook would never be asked; leave allowSubscribe out');
    }
    return found;
  });
}
