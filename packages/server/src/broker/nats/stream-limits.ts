import type { StreamConfig } from '@nats-io/jetstream';

/** What an operator set for a stream besides what nodes ask for, judged against what is promised of it. */
export interface LimitsVerdict {
  /** Promises that would be broken: the end of a sentence that begins with the stream. */
  readonly broken: readonly string[];
  /** Nothing is lost, but calls may be refused. */
  readonly tight: readonly string[];
}

/**
 * `max_bytes` and `max_msgs` count all channels of a stream together. With `discard: old` a full stream throws away the
 * oldest of any channel, its last record included, which holds its position: it would begin at offset 1 again
 * within the same epoch (DEL-3). With `discard: new` a full stream refuses publishes, and keeps what it has.
 */
export function judgeLimits(config: Partial<StreamConfig>, isDurable: boolean, payloadMax: number): LimitsVerdict {
  const bounds = [
    bound('max_bytes', config.max_bytes, 'bytes'),
    bound('max_msgs', config.max_msgs, 'messages of all channels together'),
  ].filter((text) => text !== undefined);
  const discardsNew: boolean = config.discard === 'new';
  const persistMode = (config as { persist_mode?: string }).persist_mode;
  const broken = [
    ...(discardsNew
      ? []
      : bounds.map(
          (text) =>
            `forgets publications and positions before their time: it has ${text}, discard: old; set discard: new, or no bound`,
        )),
    ...(config.discard_new_per_subject === true
      ? ['takes nothing more for a channel that is full: set discard_new_per_subject to false']
      : []),
    ...(config.sealed === true ? ['is sealed, and takes nothing: give the node another enginePrefix'] : []),
    ...(config.no_ack === true ? ['acknowledges nothing: set no_ack to false'] : []),
    ...(isDurable && persistMode === 'async'
      ? ['acknowledges what it has not written yet: set persist_mode to default']
      : []),
  ];
  const sizeMax = config.max_msg_size ?? -1;
  const tight = [
    ...(discardsNew ? bounds.map((text) => `refuses publishes when it is full: it has ${text}`) : []),
    ...(sizeMax > 0 && sizeMax < payloadMax ? [`refuses what is larger than max_msg_size ${sizeMax}`] : []),
  ];
  return { broken, tight };
}

/** What an account may still store; undefined where it has no bound. */
export function judgeAccount(storage: number, storageMax: number): string | undefined {
  if (storageMax <= 0) return undefined;
  return `the account in NATS holds ${storage} of ${storageMax} bytes that it may store: publishes are refused when it is full`;
}

function bound(name: string, value: number | undefined, unit: string): string | undefined {
  return value === undefined || value <= 0 ? undefined : `${name} ${value} (${unit})`;
}
