import { Rejection, rejections } from '@tutti/protocol';

import { canonicalChannel, namespaceOf } from './channel-name.ts';
import type { Namespace } from './namespace.ts';
import { wireName } from './tenant.ts';

/** The configured namespaces: which one a channel belongs to, if any. */
export class Namespaces {
  readonly #byName: ReadonlyMap<string, Namespace>;
  readonly #channelLengthMax: number;

  /** `channelLengthMax`: bytes. */
  constructor(settings: { namespaces: ReadonlyMap<string, Namespace>; channelLengthMax: number }) {
    this.#byName = settings.namespaces;
    this.#channelLengthMax = settings.channelLengthMax;
  }

  /**
   * Checks the name a peer sent and finds its namespace. Afterwards `channel` is canonical: use this
   * very string. Throws `Rejection`: badRequest for a name that no channel can have, unknownChannel
   * where no such namespace is configured.
   */
  resolve(channel: unknown): Namespace {
    const name = namespaceOf(canonicalChannel(channel, this.#channelLengthMax));
    const namespace = this.#byName.get(name);
    if (namespace === undefined) {
      throw new Rejection(rejections.unknownChannel, `unknown channel: there is no namespace "${name}"`);
    }
    return namespace;
  }

  /**
   * Of a channel as broker and hub know it, its tenant before it; the same for every tenant. Only for names
   * that `resolve` has checked. Throws `Rejection` unknownChannel.
   */
  of(channel: string): Namespace {
    return this.resolve(wireName(channel));
  }

  /** By the namespace's own name. */
  get(name: string): Namespace | undefined {
    return this.#byName.get(name);
  }
}
