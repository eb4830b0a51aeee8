import { storeNames, type StoreName } from './engines.ts';
import type { Proof } from './proof.ts';
import { revokeWithLostHints } from './revoke/lost-hints.ts';
import { revokeOnOneNode } from './revoke/one-node.ts';

/** CON-5 and CON-6 from outside: on one node and through its death, and between nodes whose bus loses the hint. */
export const revoke: Proof = {
  name: 'revoke',
  shows:
    'a revoked user, token or session receives nothing after the grace, also at another node whose bus loses the hint or everything; others go on, and a restart lets nobody back in (CON-5, CON-6)',
  options: {
    rate: { default: 100, description: 'publications a second, all the time' },
    graceMs: { default: 1_000, description: 'revocationPollInterval of the nodes' },
    slackMs: { default: 500, description: 'that the read of the list and the last delivery may take besides' },
    bystanders: { default: 20, description: 'connections that nobody revokes' },
  },
  choices: { engine: { default: 'nats', choices: storeNames, description: 'what the nodes share' } },
  run: async ({ rate = 0, graceMs = 0, slackMs = 0, bystanders = 0 }, say, { engine }) => {
    const wanted = { rate, graceMs, bystanders };
    const alone = await revokeOnOneNode(wanted, say);
    const between = await revokeWithLostHints({ ...wanted, slackMs }, engine as StoreName, say);
    return {
      broken: [...alone.broken, ...between.broken],
      figures: { ...alone.figures, betweenNodes: between.figures },
    };
  },
};
