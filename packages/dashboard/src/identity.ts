import { signal } from '@preact/signals';
import { cleanName, randomName } from './chat/names.ts';

const storageKey = 'tutti.name';

/** The name this window goes by: the window's own, else the one last chosen in this browser, else a random one. */
export const me = signal(recall());

export function rename(text: string): boolean {
  const name = cleanName(text);
  if (name === '') return false;
  me.value = name;
  remember(name);
  return true;
}

function recall(): string {
  const known = cleanName(read(() => sessionStorage) ?? read(() => localStorage) ?? '');
  const name = known || randomName(Math.random);
  remember(name);
  return name;
}

/** Per window, so that two windows can be two people; per browser, so that the name is there tomorrow. */
function remember(name: string): void {
  for (const storage of [() => sessionStorage, () => localStorage]) {
    try {
      storage().setItem(storageKey, name);
    } catch {
      // Storage is refused or full: the name lasts as long as the page.
    }
  }
}

function read(storage: () => Storage): string | null {
  try {
    return storage().getItem(storageKey);
  } catch {
    return null;
  }
}
