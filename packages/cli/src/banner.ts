import { devApiKeyFile, type Settings } from '@tutti/server/config';

import type { Output } from './output.ts';

/** What a newcomer sees first: that it works, where it is, and what to do next. */
export function banner(url: string, settings: Settings, isDemo: boolean, output: Output): string {
  const strong = (text: string): string => output.paint('bold', text);
  const link = (text: string): string => output.paint(['cyan', 'underline'], text);
  const command = (text: string): string => output.paint('green', text);
  // `localhost` is what people type, and what browsers treat as a secure context.
  const page = url.replace('127.0.0.1', 'localhost');
  const port = settings.port === 8000 ? '' : ` --url ${page}`;
  const rows: [string, string][] = [
    ['Open', `${link(page)}   ${output.dim('in two windows, and talk to yourself')}`],
    ['Connect', link(`${page.replace(/^http/, 'ws')}/connection/websocket`)],
    ['Data', `${settings.dataDir}   ${output.dim('channels of durable namespaces survive a restart')}`],
    ['API', `${link(`${page}/api/`)}   ${output.dim(`key in ${settings.dataDir}/${devApiKeyFile}`)}`],
    ['Namespaces', [...settings.namespaces.keys()].join(', ')],
  ];
  const next = [
    `npx tutti sub chat:general${port}`,
    `npx tutti pub chat:general '{"text":"hello"}'${port}`,
    ...(isDemo ? [`npx tutti sub ticker:prices --count 8${port}`] : []),
    'npx tutti token --user ann',
    ...apiLine(page, settings),
  ];
  return [
    '',
    `  ${output.paint(['bold', 'magenta'], 'tutti')}  ${strong('ready')}`,
    '',
    ...rows.map(([name, text]) => `  ${output.dim(name.padEnd(11))} ${text}`),
    '',
    `  ${output.dim('Try next')}`,
    ...next.map((line) => `    ${command(line)}`),
    '',
    settings.insecure
      ? `  ${output.paint('yellow', 'Insecure: anybody on this machine may do anything. For others to reach, use `tutti serve`.')}`
      : '',
    `  ${output.dim('Ctrl-C stops it.')}`,
    '',
  ].join('\n');
}

/** As a backend publishes. Only where the key is the one that dev made: others are not for the screen. */
function apiLine(page: string, { apiKeys }: Settings): string[] {
  const [key] = apiKeys;
  if (key?.name !== 'dev' || apiKeys.length > 1) return [];
  return [
    `curl -H 'X-API-Key: ${key.key}' --json '{"channel":"chat:general","data":{"text":"from curl"}}' ${page}/api/publish`,
  ];
}
