import { clientErrors, TuttiError } from './tutti-error.ts';

/** Where the publications come from; each function returns what takes the listener off again. */
export interface IteratorSource<T> {
  onPublication(listener: (publication: T) => void): () => void;
  onEnd(listener: () => void): () => void;
}

/**
 * Publications for a `for await` loop. Bound: `bufferMax` publications wait for the loop; when full
 * the loop ends with an error, because dropping some in silence would be a gap nobody is told of.
 */
export function iteratePublications<T>(source: IteratorSource<T>, bufferMax: number): AsyncIterableIterator<T> {
  let buffer: T[] = [];
  let waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: unknown) => void }[] = [];
  let end: { error?: TuttiError } | undefined;
  const offs = [source.onPublication(add), source.onEnd(() => finish({}))];

  function add(value: T): void {
    const next = waiting.shift();
    if (next !== undefined) next.resolve({ done: false, value });
    else if (buffer.push(value) > bufferMax) {
      const message = `the for-await loop reads too slowly: ${bufferMax} publications wait`;
      finish({ error: new TuttiError(clientErrors.slowReader, message) });
    }
  }
  function finish(how: { error?: TuttiError }): void {
    if (end !== undefined) return;
    end = how;
    for (const off of offs) off();
    for (const { resolve } of waiting) resolve({ done: true, value: undefined });
    waiting = [];
  }
  return {
    next() {
      const value = buffer.shift();
      if (value !== undefined) return Promise.resolve({ done: false, value });
      if (end?.error !== undefined) return Promise.reject(end.error);
      if (end !== undefined) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    return() {
      buffer = [];
      finish({});
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
