import { link } from '../live.ts';
import type { Link } from '../live.ts';
import { now } from '../now.ts';

/** The connection in a few words, always in sight. */
export function LinkStatus() {
  const current = link.value;
  return (
    <p class="link-status" data-phase={current.phase} role="status">
      <span class="dot" aria-hidden="true" />
      {describeLink(current, now.value)}
    </p>
  );
}

export function describeLink(current: Link, nowMs: number): string {
  switch (current.phase) {
    case 'connected':
      return 'Connected';
    case 'connecting':
      return 'Connecting…';
    case 'waiting': {
      const seconds = Math.ceil((current.retryAtMs - nowMs) / 1000);
      return seconds > 0 ? `Reconnecting in ${seconds} s` : 'Reconnecting…';
    }
    case 'stopped':
      return `Stopped: ${current.reason}`;
  }
}
