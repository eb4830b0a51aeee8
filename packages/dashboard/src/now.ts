import { signal } from '@preact/signals';

/** Milliseconds since 1970, refreshed once a second: for countdowns, expiries and rates. */
export const now = signal(Date.now());

setInterval(() => {
  now.value = Date.now();
}, 1000);
