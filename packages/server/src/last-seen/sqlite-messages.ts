import type { LastSeenBounds, SeenBatch, SeenEntry, UserName } from './last-seen.ts';

/** What `SqliteLastSeen` and its thread tell each other. */
export interface WorkerStart {
  readonly dataDir: string;
  readonly bounds: LastSeenBounds;
}

export type Question = { readonly nowMs: number } & (
  | { readonly kind: 'write'; readonly batch: SeenBatch }
  | { readonly kind: 'read'; readonly users: readonly UserName[] }
  | { readonly kind: 'forget'; readonly user: UserName }
  /** Answered when the file is closed; the thread then ends. */
  | { readonly kind: 'close' }
);

/** In the order of the questions; the first answer is that of opening the file. */
export type Answer =
  | { readonly ok: true; readonly entries: readonly (SeenEntry | undefined)[] }
  | { readonly ok: false; readonly why: string };
