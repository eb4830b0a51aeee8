import { memoryUsage } from 'node:process';

/**
 * Loaded into a measured server with `--import`. Asked over the channel, it collects garbage and says
 * what memory is left. Without anybody to ask, because the bench was killed, it ends the server.
 */
process.on('message', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = memoryUsage();
  process.send?.({ heapUsed, external });
});
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// The channel must not keep alive a server that ends by itself.
process.channel?.unref();
