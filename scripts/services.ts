import { findService, obtainService, serviceNames } from '../packages/testkit/src/services.ts';

/**
 * `node scripts/services.ts NAME...`: makes the real programs that tests run against available, and
 * prints where they are. Without names: all of them. Fails where one is missing afterwards.
 */
const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : serviceNames) {
  const path = findService(name) ?? obtainService(name);
  process.stdout.write(`${name}: ${path ?? 'missing'}\n`);
  if (path === undefined) process.exitCode = 1;
}
