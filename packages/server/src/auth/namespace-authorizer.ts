import { Rejection, rejections } from '@tutti/protocol';

import type { Allowance, Namespace, SubscribeAllowance } from '../config/namespace.ts';
import type { Verb } from './authenticator.ts';
import type { Authorizer, Question } from './authorizer.ts';

/** Channels of the node's own figures. */
export const statsNamespace = 'tutti';

/**
 * Rights from the options of the namespace and from the token, nothing else; denies what neither gives.
 *
 * Two namespaces are guarded: for `tutti`, and for the personal channels of others, a prefix such as
 * `t*` or `personal:*` grants nothing; only the exact name or `*` alone does. And nobody reads the
 * personal channel of another on the strength of the namespace's options.
 */
export class NamespaceAuthorizer implements Authorizer {
  readonly #personalNamespace: string;

  /** `personalNamespace`: empty where there is none. */
  constructor(settings: { personalNamespace: string }) {
    this.#personalNamespace = settings.personalNamespace;
  }

  authorize(question: Question): void {
    const { verb, namespace } = question;
    if (verb === 'history' && namespace.historySize === 0) throw notAvailable('history', 'historySize', namespace);
    if (verb === 'presence' && !namespace.presence) throw notAvailable('presence', 'presence', namespace);
    if (!this.#allows(question)) throw denied(verb, namespace);
  }

  #allows(question: Question): boolean {
    const { verb, namespace, identity } = question;
    if (verb === 'subscribe') {
      // `nobody` is for channels that only the server subscribes clients to: no token opens them.
      if (namespace.allowSubscribe === 'nobody') return false;
      if (question.grant !== undefined) return true;
    }
    if (this.#hasCapability(question)) return true;
    if (verb !== 'publish' && this.#isPersonalOfAnother(question)) return false;
    return isWithin(allowanceOf(verb, namespace), identity.user, question.subscribed);
  }

  #isPersonalOfAnother({ channel, identity, namespace }: Question): boolean {
    if (this.#personalNamespace === '' || namespace.name !== this.#personalNamespace) return false;
    return identity.user === '' || channel !== `${this.#personalNamespace}:${identity.user}`;
  }

  #hasCapability(question: Question): boolean {
    for (const { channels, allow } of question.identity.capabilities) {
      if (!allow.includes(question.verb)) continue;
      if (channels.some((pattern) => this.#matches(pattern, question))) return true;
    }
    return false;
  }

  #matches(pattern: string, question: Question): boolean {
    // A channel name has no `*`, so a pattern is never taken for an exact name.
    if (pattern === '*' || pattern === question.channel) return true;
    if (!pattern.endsWith('*') || !question.channel.startsWith(pattern.slice(0, -1))) return false;
    return question.namespace.name !== statsNamespace && !this.#isPersonalOfAnother(question);
  }
}

function allowanceOf(verb: Verb, namespace: Namespace): Allowance | SubscribeAllowance {
  switch (verb) {
    case 'subscribe':
      return namespace.allowSubscribe;
    case 'publish':
      return namespace.allowPublish;
    case 'history':
      return namespace.allowHistory;
    case 'presence':
      return namespace.allowPresence;
  }
}

function isWithin(allowance: Allowance | SubscribeAllowance, user: string, subscribed: boolean): boolean {
  switch (allowance) {
    case 'nobody':
    case 'token':
      return false;
    case 'subscriber':
      return subscribed;
    case 'user':
      return user !== '';
    case 'anyone':
      return true;
  }
}

const optionOf: Readonly<Record<Verb, string>> = {
  subscribe: 'allowSubscribe',
  publish: 'allowPublish',
  history: 'allowHistory',
  presence: 'allowPresence',
};

// Names the option and not its value: enough for a developer, and no view into the configuration.
function denied(verb: Verb, namespace: Namespace): Rejection {
  return new Rejection(
    rejections.permissionDenied,
    `permission denied: ${verb} (option ${optionOf[verb]} of namespace "${namespace.name}")`,
  );
}

function notAvailable(what: string, option: string, namespace: Namespace): Rejection {
  return new Rejection(
    rejections.notAvailable,
    `not available: ${what} (option ${option} of namespace "${namespace.name}")`,
  );
}
