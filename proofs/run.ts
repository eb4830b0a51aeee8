import { parseArgs } from 'node:util';
import { clusterPresence } from './cluster-presence.ts';
import { busLoss } from './bus-loss.ts';
import { authorise } from './authorise.ts';
import { conversation } from './conversation.ts';
import { drain } from './drain.ts';
import { fanOut } from './fan-out.ts';
import { hooks } from './hooks.ts';
import { hostile } from './hostile.ts';
import { killBroker } from './kill-broker.ts';
import { killNode } from './kill-node.ts';
import { natsMemory } from './nats-memory.ts';
import { positionCheck } from './position-check.ts';
import { partition } from './partition.ts';
import type { Proof } from './proof.ts';
import { proxies } from './proxies.ts';
import { rollingRestart } from './rolling-restart.ts';
import { revoke } from './revoke.ts';
import { slowReader } from './slow-reader.ts';
import { starvation } from './starvation.ts';
import { storm } from './storm.ts';
import { subscribeRaceProof } from './subscribe-race.ts';
import { transports } from './transports.ts';
import { window } from './window.ts';
import { zombie } from './zombie.ts';

/** In the order in which they are listed. */
const proofs: readonly Proof[] = [
  conversation,
  subscribeRaceProof,
  slowReader,
  window,
  starvation,
  storm,
  drain,
  zombie,
  hostile,
  clusterPresence,
  authorise,
  revoke,
  fanOut,
  rollingRestart,
  killBroker,
  proxies,
  transports,
  hooks,
  killNode,
  busLoss,
  partition,
  natsMemory,
  positionCheck,
];

const usage = `npm run proof                       lists the proofs
npm run proof -- NAME [--OPTION N]  runs one; its figures are the last line, as JSON
npm run proof -- all                runs all of them

Exit code: 0 all promises kept, 1 one was broken, 2 wrong usage.
`;

function list(): void {
  process.stdout.write(usage);
  for (const proof of proofs) {
    process.stdout.write(`\n${proof.name}\n  ${proof.shows}\n`);
    for (const [name, option] of Object.entries(proof.options)) {
      process.stdout.write(`  --${name} ${option.default}  ${option.description}\n`);
    }
    for (const [name, choice] of Object.entries(proof.choices ?? {})) {
      process.stdout.write(`  --${name} ${choice.default}  ${choice.description}: ${choice.choices.join(', ')}\n`);
    }
  }
}

interface Asked {
  readonly options: Readonly<Record<string, number>>;
  readonly chosen: Readonly<Record<string, string>>;
}

/** Throws for what the proof does not know. */
function askedOf({ options, choices = {} }: Proof, args: readonly string[]): Asked {
  const names = [...Object.keys(options), ...Object.keys(choices)];
  const config = Object.fromEntries(names.map((name) => [name, { type: 'string' } as const]));
  const { values } = parseArgs({ args: [...args], options: config, strict: true });
  const numbers = Object.entries(options).map(([name, option]) => {
    const given = values[name];
    const value = typeof given === 'string' ? Number(given) : option.default;
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number, not "${String(given)}"`);
    return [name, value] as const;
  });
  const words = Object.entries(choices).map(([name, choice]) => {
    const word = values[name] ?? choice.default;
    if (!choice.choices.includes(word)) throw new Error(`--${name} is one of ${choice.choices.join(', ')}`);
    return [name, word] as const;
  });
  return { options: Object.fromEntries(numbers), chosen: Object.fromEntries(words) };
}

/** True where every promise was kept. */
async function runOne(proof: Proof, { options, chosen }: Asked): Promise<boolean> {
  const started = performance.now();
  process.stdout.write(`proof ${proof.name}: ${proof.shows}\n`);
  const { broken, figures } = await proof.run(options, (line) => process.stdout.write(`  ${line}\n`), chosen);
  for (const promise of broken) process.stdout.write(`  BROKEN: ${promise}\n`);
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const line = {
    proof: proof.name,
    kept: broken.length === 0,
    broken: broken.length,
    seconds,
    options: { ...options, ...chosen },
    ...figures,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  return broken.length === 0;
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'list') {
    list();
    return 0;
  }
  const chosen = name === 'all' ? proofs : proofs.filter((proof) => proof.name === name);
  if (chosen.length === 0) {
    process.stderr.write(`there is no proof "${name}"; there are: ${proofs.map((proof) => proof.name).join(', ')}\n`);
    return 2;
  }
  let kept = true;
  for (const proof of chosen) {
    let asked: Asked;
    try {
      asked = askedOf(proof, rest);
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      return 2;
    }
    kept = (await runOne(proof, asked)) && kept;
  }
  return kept ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
