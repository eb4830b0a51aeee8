/**
 * Which pages may connect (S1). Names are compared whole: no suffixes, no patterns.
 *
 * A request without an Origin comes from no browser, and is let in: credentials travel in the first
 * message, so there is no cookie that a foreign page could ride on.
 */
export interface OriginRules {
  /** Exact origins such as `https://app.example.com`; `*` alone lets every page in. */
  readonly allowedOrigins: readonly string[];
  /**
   * For a node that asks for no token: only pages of this machine's loopback names may connect, and
   * only under such a name. Otherwise a foreign page could point its own name at 127.0.0.1 (DNS rebinding).
   */
  readonly loopbackOnly: boolean;
}

/** Host and port as they stand in a Host header or an origin. Not a URL parser: anything odd is no authority. */
const authorityPattern = /^(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z](?:[0-9A-Za-z._-]{0,253}))(?::([0-9]{1,5}))?$/;
const originPattern = /^(https?):\/\/([^/?#@\\\s]{1,262})$/i;

export interface Authority {
  readonly host: string;
  readonly port: string | undefined;
}

/** Undefined where the text is no authority. */
export function parseAuthority(text: string): Authority | undefined {
  const match = authorityPattern.exec(text);
  if (match === null) return undefined;
  const port = match[2];
  if (port !== undefined && Number(port) > 65_535) return undefined;
  return { host: (match[1] ?? '').toLowerCase(), port };
}

export function isOriginAllowed(origin: string | undefined, host: Authority, rules: OriginRules): boolean {
  if (origin === undefined) return true;
  if (rules.allowedOrigins.includes(origin) && origin !== '*' && origin !== 'null') return true;
  const page = parseOrigin(origin);
  if (page === undefined) return false;
  if (rules.loopbackOnly) return isLoopbackName(page.host) && isLoopbackName(host.host);
  if (rules.allowedOrigins.includes('*')) return true;
  const defaultPort = page.secure ? '443' : '80';
  return page.host === host.host && (page.port ?? defaultPort) === (host.port ?? defaultPort);
}

/** Headers of a plain request that tell whose page it comes from. */
export interface PlainRequest {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Sec-Fetch-Site, which no page can write. */
  readonly fetchSite: string | undefined;
}

/**
 * The same rules for requests that are no upgrade. A browser tells the origin of every page that
 * opens a WebSocket; with a plain GET it tells none where the page is of the same origin, which a name
 * pointed at 127.0.0.1 can pretend to be, or where the page only embeds an address, as an image.
 */
export function isPageAllowed({ host, origin, fetchSite }: PlainRequest, rules: OriginRules): boolean {
  const authority = parseAuthority(host ?? '');
  if (authority === undefined) return false;
  if (origin !== undefined) return isOriginAllowed(origin, authority, rules);
  if (rules.loopbackOnly && !isLoopbackName(authority.host)) return false;
  return fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none';
}

function parseOrigin(origin: string): (Authority & { secure: boolean }) | undefined {
  const match = originPattern.exec(origin);
  const authority = match === null ? undefined : parseAuthority(match[2] ?? '');
  return authority === undefined ? undefined : { ...authority, secure: match?.[1]?.toLowerCase() === 'https' };
}

/** Names that no foreign DNS server can point elsewhere: `localhost`, names under it, and loopback addresses. */
export function isLoopbackName(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    /^127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/.test(host)
  );
}
