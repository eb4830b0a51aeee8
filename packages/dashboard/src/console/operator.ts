import { signal } from '@preact/signals';

const storageKey = 'tutti.apiKey';

/** The API key that this window shows to the node; empty: none. For as long as the window is open, and in no other. */
export const operatorKey = signal(recall());

export function signIn(key: string): void {
  operatorKey.value = key.trim();
  store((storage) => storage.setItem(storageKey, operatorKey.peek()));
}

export function signOut(): void {
  operatorKey.value = '';
  store((storage) => storage.removeItem(storageKey));
}

/** What is sent in the place of a token; undefined where there is no key. */
export function operatorToken(key: string): string | undefined {
  return key === '' ? undefined : `apikey:${key}`;
}

function recall(): string {
  try {
    return sessionStorage.getItem(storageKey) ?? '';
  } catch {
    return '';
  }
}

function store(change: (storage: Storage) => void): void {
  try {
    change(sessionStorage);
  } catch {
    // Storage is refused: the key lasts as long as the page.
  }
}
