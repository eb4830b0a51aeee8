/** Milliseconds. */
export const hour = 3_600_000;
/** Bytes. */
export const MiB = 1024 * 1024;
