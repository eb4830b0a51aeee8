import { complain } from './platform.ts';
import { clientErrors, TuttiError } from './tutti-error.ts';

/** May be async. What it returns does not matter. */
type Listener<T> = (event: T) => unknown;

/**
 * Typed events. A listener that throws disturbs neither the client nor the other listeners: what
 * it threw is reported as an `error` event, and on the console where nobody listens to errors.
 */
export class Emitter<Events extends { error: TuttiError }> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Returns the function that removes the listener again. */
  on<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    let set = this.#listeners.get(name);
    if (set === undefined) this.#listeners.set(name, (set = new Set()));
    set.add(listener);
    return () => this.off(name, listener);
  }

  /** As `on`, for the next event only. */
  once<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    const off = this.on(name, (event) => {
      off();
      listener(event);
    });
    return off;
  }

  off<K extends keyof Events>(name: K, listener: Listener<Events[K]>): void {
    this.#listeners.get(name)?.delete(listener);
  }

  protected emit<K extends keyof Events>(name: K, event: Events[K]): void {
    // A copy, so that listeners may add and remove listeners.
    for (const listener of [...(this.#listeners.get(name) ?? [])] as Listener<Events[K]>[]) {
      try {
        const returned = listener(event);
        // An async listener that fails would otherwise end a Node process.
        if (returned instanceof Promise) returned.catch((cause: unknown) => this.#threw(name, cause));
      } catch (cause) {
        this.#threw(name, cause);
      }
    }
  }

  /** Reports an error; a lasting one that nobody listens for goes to the console, so that it is not missed. */
  protected emitError(error: TuttiError): void {
    if (!error.temporary && !this.#listeners.get('error')?.size) complain(error);
    this.emit('error', error);
  }

  #threw(name: keyof Events, cause: unknown): void {
    const error = new TuttiError(clientErrors.listener, `a listener of '${String(name)}' threw: ${String(cause)}`, {
      cause,
    });
    if (name === 'error') complain(error);
    else this.emitError(error);
  }
}
