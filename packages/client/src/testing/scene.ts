import { SeededRandom, VirtualClock } from '@tutti/testkit';
import type { ConnectionChange } from '../connection.ts';
import type { TuttiOptions } from '../options.ts';
import { Tutti } from '../tutti.ts';
import type { TuttiError } from '../tutti-error.ts';
import { FakeServer } from './fake-server.ts';

/** A client on virtual time, with a scripted server. */
export interface Scene {
  clock: VirtualClock;
  server: FakeServer;
  tutti: Tutti;
  changes: ConnectionChange[];
  errors: TuttiError[];
  network(event: 'online' | 'offline'): void;
  /** The client still listens for online and offline. */
  isWatching(): boolean;
  /** Lets virtual time pass, and everything that is due happen. */
  pass(ms: number): Promise<void>;
}

export function setScene(
  options: TuttiOptions = {},
  script: (server: FakeServer) => void = () => {},
  url = 'ws://fake/connection/websocket',
): Scene {
  const clock = new VirtualClock();
  const server = new FakeServer(clock);
  script(server);
  let tell: ((event: 'online' | 'offline') => void) | undefined;
  const tutti = new Tutti(url, {
    clock,
    random: new SeededRandom(7),
    WebSocket: server.WebSocket,
    transports: ['websocket'],
    watchNetwork: (fn) => {
      tell = fn;
      return () => (tell = undefined);
    },
    ...options,
  });
  const changes: ConnectionChange[] = [];
  const errors: TuttiError[] = [];
  tutti.on('state', (change) => changes.push(change));
  tutti.on('error', (error) => errors.push(error));
  return {
    clock,
    server,
    tutti,
    changes,
    errors,
    network: (event) => tell?.(event),
    isWatching: () => tell !== undefined,
    pass: (ms) => clock.advanceAsync(ms),
  };
}

/** Long enough to connect and be answered; far shorter than any back-off or time-out. */
export const momentMs = 10;

export async function setConnectedScene(
  options: TuttiOptions = {},
  script?: (server: FakeServer) => void,
): Promise<Scene> {
  const scene = setScene(options, script);
  await scene.pass(momentMs);
  if (scene.tutti.state !== 'connected') throw new Error(`expected to be connected, not ${scene.tutti.state}`);
  return scene;
}
