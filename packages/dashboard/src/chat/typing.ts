/** One's own typing is told at most this often. */
export const typingEveryMs = 2000;
/** Nobody types for longer than this without saying so again; two signs may be lost in between. */
export const typingExpiresMs = 5000;
/** Most users remembered as typing; the view names three anyway. */
const typingUsersMax = 50;

/** Who is typing, by signs that expire. Nothing of this is stored anywhere. */
export class TypingSigns {
  readonly #expiresAtMs = new Map<string, number>();

  sign(user: string, nowMs: number): void {
    if (!this.#expiresAtMs.has(user) && this.#expiresAtMs.size >= typingUsersMax) return;
    this.#expiresAtMs.set(user, nowMs + typingExpiresMs);
  }

  /** A message of the user arrived, or the user left. */
  clear(user: string): void {
    this.#expiresAtMs.delete(user);
  }

  /** Those who type at this moment, in the order in which they began. */
  active(nowMs: number): string[] {
    for (const [user, expiresAtMs] of this.#expiresAtMs) {
      if (expiresAtMs <= nowMs) this.#expiresAtMs.delete(user);
    }
    return [...this.#expiresAtMs.keys()];
  }
}

/** Lets one sign through in `typingEveryMs`. */
export class TypingThrottle {
  #nextMs = 0;

  allows(nowMs: number): boolean {
    if (nowMs < this.#nextMs) return false;
    this.#nextMs = nowMs + typingEveryMs;
    return true;
  }

  /** After a message was sent the next key press is news again. */
  reset(): void {
    this.#nextMs = 0;
  }
}

/** "ada is typing", "ada and bob are typing", "ada, bob and 3 others are typing"; empty for nobody. */
export function describeTyping(users: readonly string[]): string {
  const [first, second] = users;
  if (first === undefined) return '';
  if (second === undefined) return `${first} is typing`;
  if (users.length === 2) return `${first} and ${second} are typing`;
  const others = users.length - 2;
  return `${first}, ${second} and ${others} ${others === 1 ? 'other' : 'others'} are typing`;
}
