/** One Redis, a master that Sentinels name, or a Cluster, as its URL says. */
export interface RedisTarget {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The server; or the Sentinels; or some servers of the Cluster, which name the others. At least one. */
  readonly hosts: readonly RedisHost[];
  readonly username: string;
  readonly password: string;
  /** Always 0 for a Cluster, which has no others. */
  readonly db: number;
  readonly tls: boolean;
  /** What the Sentinels call the master; empty for other kinds. */
  readonly masterName: string;
  readonly sentinelUsername: string;
  readonly sentinelPassword: string;
}

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

const schemes: Record<string, { kind: RedisTarget['kind']; tls: boolean; port: number }> = {
  'redis:': { kind: 'single', tls: false, port: 6379 },
  'rediss:': { kind: 'single', tls: true, port: 6379 },
  'redis+sentinel:': { kind: 'sentinel', tls: false, port: 26379 },
  'rediss+sentinel:': { kind: 'sentinel', tls: true, port: 26379 },
  'redis+cluster:': { kind: 'cluster', tls: false, port: 6379 },
  'rediss+cluster:': { kind: 'cluster', tls: true, port: 6379 },
};
const hostsMax = 32;
const parameters = ['sentinelUsername', 'sentinelPassword'];

export function isRedisUrl(text: string): boolean {
  return /^rediss?(\+\w*)?:/.test(text);
}

/**
 * Reads `redis://user:password@host:port/db`, `redis+sentinel://host,host/master/db` and
 * `redis+cluster://host,host`; `rediss…` for TLS. Returns what is wrong with it as text that continues
 * the option's name, and never repeats the password.
 */
export function parseRedisUrl(text: string): RedisTarget | string {
  const match = /^([a-z+]+:)\/\/(?:([^@/]*)@)?([^@/?#]*)(\/[^?#]*)?(\?[^#]*)?$/.exec(text);
  const scheme = schemes[match?.[1] ?? ''];
  if (match === null || scheme === undefined) {
    return 'is no Redis URL: write redis://host:6379, redis+sentinel://host:26379,host:26379/master or redis+cluster://host:6379,host:6379 (rediss for TLS); special characters of a password are percent-encoded';
  }
  const [, , credentials = '', hostList = '', path = '', query = ''] = match;
  try {
    const hosts = readHosts(hostList, scheme.port, scheme.kind);
    const [username = '', password = ''] = splitOnce(credentials).map(decodeURIComponent);
    const search = new URLSearchParams(query);
    for (const name of search.keys()) {
      if (!parameters.includes(name)) throw new UrlProblem(`has the unknown parameter ${JSON.stringify(name)}`);
    }
    const sentinelUsername = search.get('sentinelUsername') ?? '';
    const sentinelPassword = search.get('sentinelPassword') ?? '';
    const { kind, tls } = scheme;
    return { kind, hosts, username, password, tls, ...readPath(path, kind), sentinelUsername, sentinelPassword };
  } catch (error) {
    if (error instanceof UrlProblem) return error.message;
    if (error instanceof URIError) return 'has a user or password with a % that encodes nothing: write %25 for it';
    throw error;
  }
}

class UrlProblem extends Error {}

function readHosts(list: string, defaultPort: number, kind: RedisTarget['kind']): RedisHost[] {
  const entries = list.split(',').filter((entry) => entry !== '');
  if (entries.length === 0) throw new UrlProblem('names no host');
  if (entries.length > hostsMax) throw new UrlProblem(`names ${entries.length} hosts; at most ${hostsMax} are read`);
  if (kind === 'single' && entries.length > 1) {
    throw new UrlProblem('names several hosts: write redis+sentinel:// or redis+cluster:// for more than one');
  }
  return entries.map((entry) => {
    const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(entry) ?? [];
    const host = bracketed ?? plain;
    const number = port === undefined ? defaultPort : Number(port);
    if (host === undefined || number < 1 || number > 65_535) {
      throw new UrlProblem('has a host that is not host or host:port ([::1]:6379 for IPv6)');
    }
    return { host, port: number };
  });
}

function readPath(path: string, kind: RedisTarget['kind']): Pick<RedisTarget, 'db' | 'masterName'> {
  const parts = path.split('/').filter((part) => part !== '');
  const masterName = kind === 'sentinel' ? decodeURIComponent(parts.shift() ?? '') : '';
  if (kind === 'sentinel' && masterName === '') {
    throw new UrlProblem('does not say what the Sentinels call the master: redis+sentinel://host:26379/mymaster');
  }
  const [db = '0', ...rest] = parts;
  if (!/^\d{1,5}$/.test(db) || rest.length > 0) throw new UrlProblem('has a path that is no database number');
  if (kind === 'cluster' && Number(db) !== 0) throw new UrlProblem('asks for a database: a Cluster has number 0 only');
  return { db: Number(db), masterName };
}

/** `name:secret`; a lone `:secret` is the default user's. */
function splitOnce(text: string): [string, string] {
  const at = text.indexOf(':');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

export function addressOf({ host, port }: RedisHost): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
