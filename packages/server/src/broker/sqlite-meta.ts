import type { DatabaseSync } from 'node:sqlite';
import { Epochs } from './epochs.ts';
import { isSameFile, type FileIdentity } from './sqlite-database.ts';

type Name = 'generation' | 'life' | 'file';

/** The few values that belong to the whole log. */
export class Meta {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  read(name: Name): string | undefined {
    const row = this.#db.prepare('SELECT value FROM meta WHERE name = ?').get(name);
    return row === undefined ? undefined : String(row.value);
  }

  write(name: Name, value: string): void {
    this.#db
      .prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value')
      .run(name, value);
  }

  readEpochs(): Epochs {
    return new Epochs(this.read('generation') ?? '', Number(this.read('life') ?? '0'));
  }
}

/**
 * Begins a new generation where the log is new, or where its file is not the one it was written in:
 * a copied or restored folder. The original may have gone on since, and both would give the same
 * offset to different publications, so every epoch of this one changes (DEL-3); offsets go on.
 */
export function settleGeneration(db: DatabaseSync, file: FileIdentity, generation: string): { isCopy: boolean } {
  const meta = new Meta(db);
  const written = meta.read('file');
  const isNew = meta.read('generation') === undefined;
  const isCopy = !isNew && (written === undefined || !isSameFile(JSON.parse(written) as FileIdentity, file));
  // Nothing to write is not written: a folder on a full disk still opens for reading.
  if (!isNew && !isCopy && written === JSON.stringify(file)) return { isCopy };
  db.exec('BEGIN IMMEDIATE');
  try {
    if (isNew || isCopy) meta.write('generation', generation);
    if (isNew) meta.write('life', '0');
    meta.write('file', JSON.stringify(file));
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
  return { isCopy };
}
