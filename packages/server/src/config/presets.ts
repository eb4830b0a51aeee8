import type { Layer } from './resolve-settings.ts';
import { resolveSettings } from './resolve-settings.ts';
import type { Settings, WrittenNamespace, WrittenSettings } from './options.ts';
import { devSource } from './problem.ts';

const forAnyone: WrittenNamespace = {
  allowSubscribe: 'anyone',
  allowPublish: 'anyone',
  allowHistory: 'anyone',
  allowPresence: 'anyone',
};
const room: WrittenNamespace = { ...forAnyone, historySize: 100, presence: true, joinLeave: true };

/** `tutti dev`: everything open on this machine, and namespaces to play with. */
const devWritten: WrittenSettings = {
  insecure: true,
  allowAnonymous: true,
  // The banner says what `info` would.
  logLevel: 'warn',
  personalNamespace: 'personal',
  namespaces: {
    chat: { ...room, historySize: 1000, historyTtl: '30d', durable: true },
    typing: { ...forAnyone, allowHistory: 'nobody', allowPresence: 'nobody' },
    ticker: { ...forAnyone, historySize: 480, delivery: 'latest_by_key', allowPublish: 'nobody' },
    tutti: { ...forAnyone, historySize: 120, allowPublish: 'nobody' },
    personal: { historySize: 100, allowSubscribe: 'nobody', allowPublish: 'nobody' },
    demo: room,
    default: room,
  },
};

export function devLayer(): Layer {
  return { values: new Map(Object.entries(devWritten)), source: () => devSource, fromText: false, folder: '.' };
}

/** The defaults of the table: secure, and without a namespace. */
export function defaultSettings(): Settings {
  return resolveSettings([]).settings;
}

/** What `tutti dev` runs with when nothing else is said. Insecure: for a loopback address only. */
export function devSettings(): Settings {
  return resolveSettings([devLayer()]).settings;
}
