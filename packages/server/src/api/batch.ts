import { setImmediate } from 'node:timers/promises';
import { Rejection, rejections } from '@tutti/protocol';
import type { Scanner } from '@tutti/protocol/json';
import { errorOf } from './api-error.ts';
import { apiBounds } from './contract.ts';
import { mayCall } from './keys.ts';
import type { ApiMethod, Call } from './method.ts';
import { methods } from './methods/index.ts';
import { eachElement, eachMember, mustHave, readFields, type Read } from './read-fields.ts';

interface Command {
  readonly method: ApiMethod;
  readonly params: Read;
}

export interface Batch {
  readonly commands: readonly Command[];
  readonly parallel: boolean;
}

export const batchSummary = `Up to ${apiBounds.batchCommandsMax} commands in one request, one after the other unless \`parallel\`. Each has a reply of its own; an error ends nothing but its command.`;

/** `{"commands":[{"publish":{…}},…],"parallel":false}`. Throws `BadFrame`, `Rejection`: then nothing was begun. */
export function readBatch(scanner: Scanner): Batch {
  const commands: Command[] = [];
  let parallel = false;
  eachMember(scanner, (name) => {
    if (name === 'parallel') parallel = scanner.boolean();
    else if (name !== 'commands') scanner.skip();
    else eachElement(scanner, apiBounds.batchCommandsMax, () => commands.push(readCommand(scanner)));
  });
  return { commands, parallel };
}

function readCommand(scanner: Scanner): Command {
  let command: Command | undefined;
  eachMember(scanner, (name) => {
    const method = methods.get(name);
    if (method === undefined) throw new Rejection(rejections.methodNotFound, `a batch knows no command of that name`);
    if (command !== undefined) throw new Rejection(rejections.badRequest, 'a command of a batch has one member');
    command = { method, params: readFields(scanner, method.params) };
  });
  if (command === undefined) throw new Rejection(rejections.badRequest, 'a command of a batch is empty');
  return command;
}

/** One reply a command, in its order: `{"publish":{…}}` or `{"error":{…}}`. Never throws. */
export async function runBatch({ commands, parallel }: Batch, call: Call): Promise<unknown[]> {
  const replies: unknown[] = [];
  for (let i = 0; i < commands.length; i += apiBounds.turnMax) {
    if (i > 0) await setImmediate();
    const some = commands.slice(i, i + apiBounds.turnMax);
    if (parallel) replies.push(...(await Promise.all(some.map((command) => runOne(command, call)))));
    else for (const command of some) replies.push(await runOne(command, call));
  }
  return replies;
}

async function runOne({ method, params }: Command, call: Call): Promise<unknown> {
  try {
    if (!mayCall(call.key, method.name)) throw notAllowed(call.key.name, method.name);
    mustHave(params, method.params);
    return { [method.name]: await method.run(params, call) };
  } catch (error) {
    return { error: errorOf(call.target.rejectionOf(error)) };
  }
}

export function notAllowed(key: string, method: string): Rejection {
  return new Rejection(rejections.permissionDenied, `permission denied: key "${key}" does not allow ${method}`);
}
