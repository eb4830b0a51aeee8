import type { TokenDraft } from '@tutti/server/auth';
import { isTenantName, type Settings } from '@tutti/server/config';
import type { Command } from 'commander';

import { usageError } from './cli-error.ts';

export function addTenantFlag(command: Command): Command {
  return command.option(
    '--tenant <name>',
    "whose channels and users, on a node with tenants; empty text for the operator's own space",
  );
}

/** The tenant that `--tenant` names, undefined where the flag is absent. Throws a usage error. */
export function tenantFlag(written: unknown): string | undefined {
  if (typeof written !== 'string') return undefined;
  if (written === '' || isTenantName(written)) return written;
  throw usageError('--tenant must have 1 to 64 of the characters A-Z a-z 0-9 _ . -, or be empty');
}

/** What a token that is made here says of the tenant (S11). Throws a usage error where the node would refuse it. */
export function tenantClaims(written: unknown, { tenantClaim: claim }: Settings): Pick<TokenDraft, 'tenant'> {
  const name = tenantFlag(written);
  if (claim === '') {
    if (name === undefined) return {};
    throw usageError(
      '--tenant needs the name of the claim that the node reads',
      'Set tenantClaim (TUTTI_TENANT_CLAIM) here as the node has it.',
    );
  }
  if (name !== undefined) return { tenant: { claim, name } };
  throw usageError(
    `the node has tenants (tenantClaim is ${claim}): say whose token it shall be`,
    "--tenant NAME, or --tenant '' for the operator's own space.",
  );
}
