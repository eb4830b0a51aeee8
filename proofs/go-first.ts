import { setPriority } from 'node:os';
import type { SpawnedNode } from '@tutti/testkit/spawn-node';

/** Of a node and of who measures it: other work on this machine is not to be measured. */
const urgency = -15;

/** False where the system does not allow it: then the figures hold the noise of the machine. */
export function goFirst(node: SpawnedNode): boolean {
  try {
    setPriority(node.pid, urgency);
    setPriority(urgency);
    return true;
  } catch {
    return false;
  }
}
