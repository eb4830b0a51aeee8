import type { Settings } from '../config/options.ts';
import type { Clock } from '../core/clock.ts';
import { AttachedServer } from '../http/attached-server.ts';
import type { HttpOptions } from '../http/http-server.ts';
import { HttpServer } from '../http/http-server.ts';
import type { ServerOptions } from '../server.ts';
import type { Log } from '../telemetry/telemetry.ts';

/** Takes requests for the node. */
export interface Listener {
  /** 0 while nobody listens. */
  readonly port: number;
  listen(): Promise<void>;
  close(): Promise<void>;
}

/** Sockets beyond the connections: requests, and upgrades that will be refused. */
export const socketsBesides = 1_000;
const prefixDefault = '/tutti';

/** A server of the node's own, or the application's, on which it has its paths and no page. */
export function listenerOf(
  { server, prefix = prefixDefault }: ServerOptions,
  { host, port, connectionsMax, tlsCertFile: certFile, tlsKeyFile: keyFile }: Settings,
  faces: Pick<HttpOptions, 'routes' | 'upgrades' | 'staticRoot'>,
  seams: { readonly clock: Clock; readonly log: Log },
): Listener {
  if (server !== undefined) return new AttachedServer(server, { ...faces, prefix }, seams);
  const tls = certFile === '' ? {} : { certificate: { certFile, keyFile } };
  // So many more, that one too many is told so, and that health can be asked at any time.
  return new HttpServer({ host, port, socketsMax: connectionsMax + socketsBesides, ...tls, ...faces }, seams);
}

/** Where it is reached from this machine; empty where it is not. Asked anew each time: an application listens when it likes. */
export interface Urls {
  readonly url: string;
  readonly metricsUrl: string;
}

export function urlsOf(
  options: ServerOptions,
  settings: Settings,
  listener: Listener,
  operators: Listener | undefined,
): Urls {
  const { server } = options;
  const urls = {
    get url(): string {
      return server === undefined
        ? `${settings.tlsCertFile === '' ? 'http' : 'https'}://${hostInUrl(settings.host)}:${listener.port}`
        : urlOfHost(server, options.prefix ?? prefixDefault);
    },
    get metricsUrl(): string {
      if (operators !== undefined) return `http://${hostInUrl(settings.metricsHost)}:${operators.port}/metrics`;
      return server === undefined ? `${urls.url}/metrics` : '';
    },
  };
  return urls;
}

function urlOfHost(server: NonNullable<ServerOptions['server']>, prefix: string): string {
  const address = server.address();
  if (typeof address !== 'object' || address === null) return '';
  const isAnywhere = address.address === '::' || address.address === '0.0.0.0';
  const host = isAnywhere ? 'localhost' : hostInUrl(address.address);
  return `${'setSecureContext' in server ? 'https' : 'http'}://${host}:${address.port}${prefix}`;
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
