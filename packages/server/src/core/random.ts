/** Chance, as core sees it. */
export interface Random {
  /** Uniform in [0, 1). For jitter, not for secrets. */
  next(): number;
  /** An unguessable identifier with at least 128 bits, of characters safe in URLs. */
  id(): string;
}
