// npm passes a signal on that the terminal already sent to the whole group: one Ctrl-C comes twice.
const sameRequestMs = 500;

export interface StopRequest {
  /** Resolves at the first SIGINT or SIGTERM. A second one, later, ends the process at once. */
  readonly requested: Promise<void>;
  /** Gives the signals back to the process. */
  forget(): void;
}

/** Ctrl-C, or an operator, wants an end. `impatient` is called when they ask again, before the process ends. */
export function stopRequested(impatient: () => void = () => undefined): StopRequest {
  let firstAt: number | undefined;
  let resolve: () => void = () => undefined;
  const requested = new Promise<void>((done) => {
    resolve = done;
  });
  const onSignal = (): void => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      resolve();
    } else if (performance.now() - firstAt > sameRequestMs) {
      impatient();
      process.exit(1);
    }
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    requested,
    forget: () => {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    },
  };
}
